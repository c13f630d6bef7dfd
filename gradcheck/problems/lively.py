"""Float problems on which mistakes are visible: long lags, and values at which code branches.

The same seed gives the same problem on every machine.
"""

from __future__ import annotations

import numpy as np

from ..reference.errors import GradcheckError
from ..reference.networks import start
from ..reference.networks.base import Capabilities, RecurrentNetwork, Sizes, TargetDomain, ask, step
from ..reference.networks.domains import INPUTS, domain_of, inside
from ..reference.networks.sizes import fitting
from ..reference.networks.state import cached
from ..reference.problem import Problem, map_shape, map_state
from ..reference.tree import leaves
from ..reference.typing import Array
from .carrying import best_factor
from .influence import SHARED, by_owner, driven, read_out, reading
from .waking import waking

_GRID = 2.0**-12
_LENGTHS = Sizes(16, 4, 3, 2)
"""Sizes at which it is tried how long a network's state lasts."""
INACTIVE = "saturated and inactive units"
"""Name of the problem of `branching_problems` in which units are on both sides of a kink."""


def _dyadic(values: Array) -> Array:
    """Round to nonzero multiples of 2^-12, which float32 and float64 represent exactly."""
    rounded = np.round(values / _GRID) * _GRID
    return np.where(rounded == 0, _GRID, rounded)


def targets_for(network: RecurrentNetwork, T: int, K: int, rng: np.random.Generator) -> Array:
    """Draw float targets (T, K) from the domain of the network's loss."""
    domain = ask(network, Capabilities.target_domain)
    if domain is TargetDomain.UNIT:
        return _dyadic(rng.uniform(0.05, 0.95, (T, K)))
    if domain is TargetDomain.SHARES:
        blocks = ask(network, Capabilities.sequences)
        shares = np.floor(rng.dirichlet(np.ones(K // blocks), T * blocks) / _GRID) * _GRID
        shares[:, 0] += 1 - shares.sum(axis=1)
        return shares.reshape(T, K)
    return _dyadic(rng.normal(size=(T, K)))


def lively_problem(
    network: RecurrentNetwork,
    sizes: Sizes,
    seed: int,
    *,
    weighted: bool = False,
    zero_state: bool = False,
    one_hot: bool = False,
) -> Problem:
    """Draw a float problem on which long lags stay visible.

    A square matrix that multiplies the state, such as R, is nearly a signed cyclic permutation. It keeps lengths, and
    so does |R|, with which rounding errors grow. Vectors that multiply the state have entries near 0.9. Inputs, states
    and other vectors (biases) are small, so activations are not saturated. With relu, all but V is positive, so every
    unit is active. Where f'(0) is not 1, R is divided by it, and the first input, near 1, keeps the units near s = 0:
    then f'(s) R keeps lengths. Where a network forgets for another reason, the matrices are multiplied by the factor
    with which it forgets least. Entries are nonzero multiples of 2^-12, and no matrix is symmetric. A network that is
    silent all the same gets larger inputs, or positive numbers, see `waking`.

    Args:
        network: The problem's network.
        sizes: Its sizes, or the nearest that the network can have.
        seed: Seed of the draws, which depend on the sizes too.
        weighted: Draw loss weights, some of them 0. Otherwise they are ones.
        zero_state: Start from a zero state.
        one_hot: Take the unit vectors, one after the other, as inputs. Needs D = T.
    """
    sizes = fitting(network, sizes)
    drawn = _draw(network, sizes, seed, weighted, zero_state, one_hot, factor=_factor(network))
    return waking(network, _probe)(drawn)


def _probe(network: RecurrentNetwork, sizes: Sizes) -> Problem:
    return _draw(network, fitting(network, sizes, alive=True), 0)


@cached(64)
def _factor(network: RecurrentNetwork) -> float:
    """Return the factor on what multiplies the state (see `_carries`); 1 for a network that does not forget."""
    problem = waking(network, _probe)(_probe(network, _LENGTHS))
    shapes = network.parameter_shapes(problem.sizes)
    return best_factor(problem, [n for n, shape in shapes.items() if _carries(network, problem.sizes, n, shape)])


def _carries(network: RecurrentNetwork, sizes: Sizes, name: str, shape: tuple[int, ...]) -> bool:
    """Return True for what multiplies the state and may be large: a square matrix, or positive time constants."""
    large = domain_of(network, name)
    square = len(shape) == 2 and shape[0] == shape[1] == sizes.I > 1
    return (square or large.above and len(shape) < 2) and multiplies(network, sizes, name, "state")


def _draw(
    network: RecurrentNetwork, sizes: Sizes, seed: int, weighted: bool = False, zero_state: bool = False,
    one_hot: bool = False, factor: float = 1.0,
) -> Problem:  # fmt: skip
    """Draw a lively problem for a network that small numbers do not silence.

    What multiplies the state, see `_carries`, is `factor` times as large.
    """
    rng = np.random.default_rng([seed, sizes.T, sizes.I, sizes.D, sizes.K])
    parameters, shapes = {}, network.parameter_shapes(sizes)
    for name, shape in shapes.items():
        carries = multiplies(network, sizes, name, "state")
        grows = _carries(network, sizes, name, shape)
        if grows and len(shape) == 2:
            matrix = factor * _length_keeping(sizes.I, rng)
        elif len(shape) == 2:
            matrix = rng.normal(size=shape) / np.sqrt(shape[0])
        else:
            size = rng.uniform(0.8, 0.97, shape) if carries else rng.uniform(0.02, 0.1, shape)
            matrix = size * rng.choice([-1, 1], shape) * (factor if grows else 1.0)
        parameters[name] = inside(network, name, _dyadic(matrix))

    def drawn_state(shape: tuple[int, ...]) -> Array:
        return np.zeros(shape) if zero_state else _dyadic(rng.normal(size=shape) * 0.3)

    state = map_shape(drawn_state, network.state_shape(sizes)) if start.is_given(network) else None
    inputs = inside(network, INPUTS, _dyadic(rng.normal(size=(sizes.T, sizes.D)) * 0.1))
    if one_hot:
        inputs = inside(network, INPUTS, np.eye(sizes.T))
    if ask(network, Capabilities.has_kinks):
        parameters = {name: array if name == "V" else np.abs(array) for name, array in parameters.items()}
        state, inputs = state if state is None else map_state(np.abs, state), np.abs(inputs)
    rest = ask(network, Capabilities.resting_point)
    each = sizes.D // ask(network, Capabilities.sequences)
    if rest and shapes.get("R") == (sizes.I, sizes.I) and shapes.get("W") == (each, sizes.I):
        s, a, slope = rest
        R = parameters["R"] = parameters["R"] / slope
        kept = _dyadic(s - R.sum(axis=0) * a)
        if one_hot:
            parameters["W"] = parameters["W"] + kept
        else:
            parameters["W"][0] = kept
            inputs[:, ::each] = 1 + _dyadic(inputs[:, ::each] / 4)
    weights = np.ones(sizes.T)
    if weighted:
        weights = _dyadic(rng.uniform(0.25, 1.5, sizes.T))
        weights[rng.random(sizes.T) < 0.3] = 0
        weights[-1] = 1.25
    return Problem(parameters, inputs, targets_for(network, sizes.T, sizes.K, rng), state, weights, network)


@cached(64)
def branching_problems(network: RecurrentNetwork, seed: int, *, weighted: bool = False) -> dict[str, Problem]:
    """Build small float problems at values for which a rule may have a branch of its own.

    They have zeros (inputs, whole steps, targets, weights, the state), one-hot inputs, saturated units, numbers of all
    53 bits, and gradients far larger and far smaller than 1. Where a step has nothing but zeros, relu is at its kink.

    Args:
        network: The problems' network.
        seed: Seed of the draws.
        weighted: Draw loss weights, and add problems with a loss at one step only.

    Returns:
        The problems by a name that describes their values.
    """

    def lively(*sizes: int, zero_state: bool = False) -> Problem:
        return lively_problem(network, Sizes(*sizes), seed, weighted=weighted, zero_state=zero_state)

    found: dict[str, Problem] = {}

    base = lively(6, 4, 3, 2, zero_state=True)
    D = base.sizes.D  # a network that ties its sizes has others than were asked for
    found["one-hot inputs and steps without input"] = base.varied(
        inputs=np.eye(D + 1)[[D, 0, 2 % D, D, 1 % D, 0]][:, :D]
    )

    base = lively(5, 3, 4, 2)
    inputs, targets = base.inputs.copy(), base.targets.copy()
    inputs[[0, 1, 3, 4], np.array([1, 0, 2, 2]) % base.sizes.D] = 0
    if _free_targets(network):
        targets[2], targets[4, 0] = 0, 0
    found["inputs and targets with zeros"] = base.varied(inputs=inputs, targets=targets)

    base, rows = lively(6, 3, 2, 2), [0, 1, 0, 0, 1, 1]
    steps = {"inputs": base.inputs[rows], "targets": base.targets[[0, 0, 1, 0, 1, 1]]}
    found["inputs and targets that come again"] = base.varied(**steps)

    base = lively(5, 5, 2, 2)
    found["weights with zeros"] = base.varied(
        parameters={name: _thinned(array) for name, array in base.parameters.items()}
    )
    base = lively(4, 3, 2, 2)
    second = np.where(np.arange(base.sizes.I) == 1, 0.0, 1.0)
    found["a unit without weights"] = by_owner(base, driven(base), second, base.parameters)
    found["a unit that nobody reads"] = by_owner(base, reading(base), second, base.parameters)
    base = lively(4, 3, 2, 3, zero_state=True)
    found["no input at all"] = base.varied(inputs=np.zeros_like(base.inputs))

    found["numbers of all 53 bits"] = full_bits(lively(7, 4, 3, 3), seed)

    base = lively(5, 4, 2, 2)
    on_inputs = [n for n in base.parameters if multiplies(network, base.sizes, n, "input")]
    saturated = by_owner(base, driven(base), np.resize([1.0, -64.0, 96.0, -192.0], base.sizes.I), on_inputs)
    rests = ask(network, Capabilities.resting_point) and network.parameter_shapes(base.sizes).get("W") == (2, 4)
    if rests:  # the first input's weights keep the other units there
        saturated.parameters["W"][0] = base.parameters["W"][0]
    found[INACTIVE] = saturated
    if weighted:
        for where, step in (("last", 4), ("first", 0)):
            base = lively(5, 3, 2, 2)
            found[f"a loss at the {where} step only"] = base.varied(loss_weights=np.eye(5)[step] * 1.25)
    # s stays as it was, but dW grows with the inputs, and all of it with the targets.
    base = lively(5, 3, 2, 2)
    found["a large gradient"] = base.varied(
        parameters={
            n: a * 2.0**-8 if multiplies(network, base.sizes, n, "input") else a for n, a in base.parameters.items()
        },
        inputs=base.inputs * 2.0**8,
        targets=base.targets * 2.0**8 if _free_targets(network) else base.targets,
    )
    base = lively(4, 3, 2, 2)
    reads = read_out(base)
    found["a small gradient"] = base.varied(
        parameters={n: a * np.where(reads[n] == SHARED, 1.0, 2.0**-20) for n, a in base.parameters.items()},
        targets=base.targets * 2.0**-20 if _free_targets(network) else base.targets,
    )
    return found


def fading(problem: Problem, factor: float) -> Problem:
    """Multiply the parameters that act on the state by a factor, so that it fades from step to step."""
    acting = [name for name in problem.parameters if multiplies(problem.network, problem.sizes, name, "state")]
    parameters = {name: array * (factor if name in acting else 1.0) for name, array in problem.parameters.items()}
    return problem.varied(parameters=parameters)


def full_bits(problem: Problem, seed: int) -> Problem:
    """Change each number of a problem a little, to one that no coarser format holds; targets where they are free.

    Args:
        problem: The problem.
        seed: Seed of the changes.
    """
    rng = np.random.default_rng([seed, 53])
    return problem.varied(
        parameters={name: _all_bits(array, rng) for name, array in problem.parameters.items()},
        inputs=_all_bits(problem.inputs, rng),
        targets=_all_bits(problem.targets, rng) if _free_targets(problem.network) else problem.targets,
        initial_state=map_state(lambda array: _all_bits(array, rng), problem.initial_state),
    )


def _free_targets(network: RecurrentNetwork) -> bool:
    return ask(network, Capabilities.target_domain) is TargetDomain.REAL


def _all_bits(array: Array, rng: np.random.Generator) -> Array:
    """Change each number a little, to one that no coarser format holds."""
    return array * (1 + 2.0**-13 * rng.uniform(-1, 1, array.shape))


def _thinned(array: Array) -> Array:
    """Return a copy with every third entry 0, from the first on."""
    thinned = array.copy()
    thinned.reshape(-1)[::3] = 0
    return thinned


@cached(4096)
def multiplies(network: RecurrentNetwork, sizes: Sizes, name: str, what: str) -> bool:
    """Tell whether a parameter acts on the state, or on the input (`what`).

    The mixed difference of a step in the two is not 0 then, with all else 0. R and w act on the state, W on the input.
    A bias acts on neither, and nor does a matrix of the readout.
    """

    def after(parameter: float, value: float) -> Array:
        values = {n: np.full(s, parameter if n == name else 0.0) for n, s in network.parameter_shapes(sizes).items()}
        before = map_shape(lambda s: np.full(s, value if what == "state" else 0.0), network.state_shape(sizes))
        reached = step(network, values, before, np.full(sizes.D, value if what == "input" else 0.0))
        return np.concatenate([np.asarray(part).reshape(-1) for part in leaves(reached)])

    try:
        with np.errstate(all="ignore"):
            mixed = after(0.5, 0.5) - after(0.5, 0.0) - after(0.0, 0.5) + after(0.0, 0.0)
    except GradcheckError:
        return what == "state"
    return not bool((np.abs(mixed) < 2.0**-30).all())


def _length_keeping(n: int, rng: np.random.Generator) -> Array:
    """Draw 0.88 times a signed cyclic permutation, plus small dense entries. Rows of |.| sum to about 1."""
    order = rng.permutation(n)
    matrix = rng.uniform(-0.24, 0.24, (n, n)) / n
    matrix[order, np.roll(order, 1)] += 0.88 * rng.choice([-1.0, 1.0], n)
    return matrix
