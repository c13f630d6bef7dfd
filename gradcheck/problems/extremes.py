"""Float problems whose pre-activations, readouts and gradients are very large or very small.

A family is a line of problems in one quantity: the pre-activation s of one unit, all of the readout u, the inputs. What
moves s and u is found by running the network's own `step` and `readout`, so that any network has these problems.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..reference.errors import GradcheckError
from ..reference.networks import start
from ..reference.networks.base import Capabilities, RecurrentNetwork, Sizes, TargetDomain, ask
from ..reference.networks.headed import HeadedNetwork
from ..reference.networks.sizes import fitting
from ..reference.problem import Problem, forward, map_state
from ..reference.typing import Array
from .arguments import reached
from .influence import by_owner, driven, read_out
from .lively import lively_problem, multiplies

SMALLEST = Sizes(1, 1, 1, 1)
LARGE = (15.25, 22.0, 31.0, 48.0, 96.0, 200.0, 360.0, 728.0, 2000.0, 10000.0)
"""Magnitudes of s and u. exp overflows float32 at 89 and float64 at 710; its square at 44 and 355.

float64 tells the slope of tanh from 0 up to 17, that of the logistic function from 0 and softplus from a line up to 33.
Shortcuts for large values begin at 15, 20 or 30.
"""
TINY = (2.0**-20, 2.0**-126, 2.0**-532, 2.0**-996)
"""The smallest normal number of float32; one whose square float64 loses; 1e-300."""
MODERATE = 0.5
STEP, READOUT = "step", "readout"
SIZES = {STEP: Sizes(2, 10, 2, 2), READOUT: Sizes(2, 3, 2, 10)}
"""Sizes of the problems of each part: a magnitude for each unit, and for each output."""
Magnitudes = Sequence[float]


def parts(networks: Sequence[RecurrentNetwork], network: RecurrentNetwork) -> tuple[str, ...]:
    """Return what to try on a network: its step and its readout, each left out where an earlier network has the same.

    Args:
        networks: The networks of a rule, in order.
        network: One of them.
    """
    earlier = networks[: list(networks).index(network)]
    if not isinstance(network, HeadedNetwork):
        return (STEP, READOUT)
    alike = [
        each
        for each in earlier
        if isinstance(each, HeadedNetwork)
        and type(each) is type(network)
        and (each.options(), getattr(each, "layers", ())) == (network.options(), getattr(network, "layers", ()))
    ]
    found = []
    if all(each.activation != network.activation for each in alike):
        found.append(STEP)
    if all(each.head != network.head for each in alike):
        found.append(READOUT)
    return tuple(found)


def in_range(problem: Problem) -> bool:
    """Return True if no pre-activation and no readout that can be seen is larger than the largest magnitude."""
    return _within(problem, LARGE[-1] * (1 + 2.0**-10))


def moderate(problem: Problem) -> bool:
    """Return True if pre-activations and readouts are no extreme values, which `stable` is about."""
    return _within(problem, LARGE[0])


def _within(problem: Problem, most: float) -> bool:
    try:
        steps, readouts = reached(problem)
    except GradcheckError:
        return True
    return bool(np.abs(np.concatenate([*steps, *readouts])).max() <= most)


@dataclass(frozen=True)
class Base:
    """A problem of moderate values, from which the others are made.

    Args:
        network: The problem's network.
        sizes: Its sizes.
        seed: Seed of its draws.
        weighted: Give it loss weights, one of them negative.
    """

    network: RecurrentNetwork
    sizes: Sizes
    seed: int
    weighted: bool

    @functools.cached_property
    def problem(self) -> Problem:
        """The problem, with the same inputs at each step."""
        made = lively_problem(
            self.network, fitting(self.network, self.sizes, alive=True), self.seed, weighted=self.weighted
        )
        row = 1 / (1 + np.arange(made.inputs.shape[1]))
        weights = np.resize([1.25, -0.75], made.T) if self.weighted else made.loss_weights
        return made.varied(inputs=np.tile(row, (made.T, 1)), loss_weights=weights)

    def names(self, what: str) -> list[str]:
        """Return the parameters that act on the state, or on the input (`what`)."""
        return [name for name in self.problem.parameters if multiplies(self.network, self.problem.sizes, name, what)]

    @functools.cached_property
    def readers(self) -> list[str]:
        """The parameters that act on the readout."""
        _, before = reached(self.problem)
        found = []
        for name in self.problem.parameters:
            steps, after = reached(_scaled(self.problem, [name], 2.0))
            if not np.array_equal(before[0], after[0]) and np.array_equal(self.arguments[0], steps[0]):
                found.append(name)
        return found

    @functools.cached_property
    def arguments(self) -> list[Array]:
        """Its pre-activations, by step."""
        return reached(self.problem)[0]


Make = Callable[[Base, Magnitudes], Problem | None]


@dataclass(frozen=True)
class Family:
    """Problems along one quantity.

    Attributes:
        quantity: What grows or falls: "s", "u", "inputs", "targets".
        make: Makes a problem from a base and the magnitudes of each unit or output, or the one of all; None where the
            network does not let it be made.
        grid: Magnitudes from moderate to extreme.
        screen: Magnitudes of the problems that are tried first.
        where: A remark on its problems.
    """

    quantity: str
    make: Make = field(compare=False)
    grid: tuple[float, ...]
    screen: tuple[tuple[float, ...], ...]
    where: str = ""

    @property
    def tiny(self) -> bool:
        """True where the quantity falls."""
        return self.grid is TINY

    def problem(self, base: Base, magnitudes: Magnitudes) -> Problem | None:
        """Return the problem, of numbers that float32 holds where they are in its range; None where there is none."""
        try:
            with np.errstate(all="ignore"):
                made = self.make(base, magnitudes)
                return None if made is None else made.map(_short)
        except GradcheckError:
            return None

    def rays(self, magnitude: float) -> Iterator[tuple[float, ...]]:
        """Yield the magnitudes of problems with one unit or output at a magnitude, on either side of 0."""
        yield (magnitude, MODERATE)
        if not self.tiny:
            yield (-magnitude, MODERATE)

    def value(self, problem: Problem) -> float:
        """Return the largest value that the quantity has in a problem, with its sign."""
        if self.quantity in ("s", "u"):
            found = np.concatenate(reached(problem)[self.quantity == "u"])
        else:
            found = getattr(problem, self.quantity).reshape(-1)
        return float(found[np.abs(found).argmax()])


def families(part: str, network: RecurrentNetwork) -> list[Family]:
    """Return the families of a part of the network.

    Args:
        part: `STEP` or `READOUT`.
        network: The network.
    """
    several = tuple(m * (-1) ** n for n, m in enumerate(LARGE))
    others = tuple(-m for m in several)
    alone = tuple((m,) for m in TINY[1:])
    if part == STEP:
        return [
            Family("s", functools.partial(_units, steps=slice(None)), LARGE, (several, others)),
            Family("s", functools.partial(_units, steps=slice(-1, None)), LARGE, (others,), "at the last step only"),
            Family("s", functools.partial(_units, steps=slice(0, 1)), LARGE, (several,), "at the first step only"),
            Family("s", _state, LARGE, ((10000.0,), (-360.0,)), "by the initial state"),
            Family("s", _recurrence, LARGE, ((10000.0,),), "by the recurrent weights"),
            Family("s", _tiny_units, TINY, alone),
        ]
    jointly = ask(network, Capabilities.least_outputs) > 1
    return [
        Family("u", _outputs, LARGE, (several, others)),
        Family("u", _readout, LARGE, tuple((m,) for m in (20.0, 96.0, 728.0, 10000.0)[0 if jointly else -1 :])),
        Family("u", _confident, LARGE, ((48.0,), (-48.0,), (2000.0,)), "with targets that agree"),
        Family("targets", _targets, LARGE, ((10000.0,),)),
        Family("inputs", _inputs, LARGE, ((10000.0,),)),
        Family("u", _tiny_readout, TINY, alone),
    ]


def _units(base: Base, magnitudes: Magnitudes, *, steps: slice) -> Problem | None:
    """Scale what acts on the input, unit by unit, so that each unit's pre-activation has its magnitude."""
    problem, names = base.problem, base.names("input")
    still = reached(problem.varied(inputs=np.zeros_like(problem.inputs)))[0][0]
    moved, units = base.arguments[0], problem.sizes.I
    if not names or moved.shape != still.shape or moved.size % units:
        return None
    rest, part = still.reshape(-1, units)[0], (moved - still).reshape(-1, units)[0]
    factors = (_each(magnitudes, units) - rest) / np.where(np.abs(part) < 2.0**-10, 1.0, part)
    inputs = problem.inputs * 2.0**-10
    inputs[steps] = problem.inputs[steps]
    return by_owner(problem, driven(problem), factors, names).varied(inputs=inputs)


def _outputs(base: Base, magnitudes: Magnitudes) -> Problem | None:
    """Scale what acts on the readout, output by output, so that each has its magnitude at the first step."""
    problem = base.problem
    u = reached(problem)[1][0]
    if not base.readers:
        return None
    factors = _each(magnitudes, len(u)) / np.where(np.abs(u) < 2.0**-10, 1.0, u)
    return by_owner(problem, read_out(problem), factors, base.readers)


def _confident(base: Base, magnitudes: Magnitudes) -> Problem | None:
    """Make the first output large and all others as negative, with targets that are shares or bounded close to them.

    Every error is so small then that no rounding of a larger one hides it.
    """
    if ask(base.network, Capabilities.target_domain) is TargetDomain.REAL:
        return None
    problem = _outputs(base, (magnitudes[0], -magnitudes[0]))
    if problem is None:
        return None
    _, readouts = forward(problem)
    return problem.varied(targets=np.array([np.round(ask(base.network, Capabilities.output, u)) for u in readouts]))


def _each(magnitudes: Magnitudes, number: int) -> Array:
    """Return one magnitude for each unit: the last ones where there are too many, the last again where too few."""
    given = list(magnitudes[-number:] if len(magnitudes) > 2 else magnitudes[:number])
    return np.array(given + given[-1:] * (number - len(given)))


def _scaled(problem: Problem, names: Sequence[str], factor: float) -> Problem:
    return problem.varied(parameters={n: a * factor if n in names else a for n, a in problem.parameters.items()})


def _largest(values: Array) -> float:
    return float(np.abs(values).max(initial=2.0**-10))


def _state(base: Base, magnitudes: Magnitudes) -> Problem | None:
    if not start.is_given(base.network):
        return None
    factor = magnitudes[0] / _largest(base.arguments[0])
    return base.problem.varied(initial_state=map_state(lambda a: a * factor, base.problem.initial_state))


def _recurrence(base: Base, magnitudes: Magnitudes) -> Problem | None:
    names = base.names("state")
    return _scaled(base.problem, names, magnitudes[0] / _largest(base.arguments[0])) if names else None


def _tiny_units(base: Base, magnitudes: Magnitudes) -> Problem | None:
    problem, factor = base.problem, magnitudes[0]
    state = map_state(lambda a: a * factor, problem.initial_state)
    return problem.varied(inputs=problem.inputs * factor, initial_state=state)


def _readout(base: Base, magnitudes: Magnitudes) -> Problem | None:
    u = reached(base.problem)[1][0]
    return _scaled(base.problem, base.readers, magnitudes[0] / _largest(u)) if base.readers else None


def _targets(base: Base, magnitudes: Magnitudes) -> Problem | None:
    if ask(base.network, Capabilities.target_domain) is not TargetDomain.REAL:
        return None
    return base.problem.varied(targets=base.problem.targets * magnitudes[0])


def _inputs(base: Base, magnitudes: Magnitudes) -> Problem | None:
    """Scale the inputs, and what acts on them the other way, so that s stays and the gradient grows."""
    scaled = _scaled(base.problem, base.names("input"), 1 / magnitudes[0])
    return scaled.varied(inputs=scaled.inputs * magnitudes[0])


def _tiny_readout(base: Base, magnitudes: Magnitudes) -> Problem | None:
    if not base.readers:
        return None
    problem = _scaled(base.problem, base.readers, magnitudes[0])
    free = ask(base.network, Capabilities.target_domain) is TargetDomain.REAL
    return problem.varied(targets=problem.targets * magnitudes[0]) if free else problem


def _short(array: Array) -> Array:
    """Round numbers in the range of float32 to its precision, so that both formats get the same problem."""
    with np.errstate(all="ignore"):
        short = array.astype(np.float32).astype(np.float64)
    return np.where((np.abs(array) > 2.0**-126) & (np.abs(array) < 2.0**126), short, array)
