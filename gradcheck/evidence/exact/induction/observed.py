"""A rule and a model side by side on residues, to see the form of the rule's memory and to recognise its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ....reference.networks import start
from ....reference.networks.base import RecurrentNetwork, Sizes
from ....reference.noise import Noise
from ....reference.problem import Problem, named_state
from ....reference.scalars.base import Field, FieldArray
from ....reference.scalars.formal import FormalField
from ....reference.scalars.residues.modular import PRIME, ModularField
from .memory import Memory, first_difference
from .models import Model, Numbers
from .quantities import Identified, Inputs, Named, identify, quantities
from .stepping import Stepper
from .trust import Unproved

MOST_STEPS = 14
"""Steps after which a memory whose form does not repeat is given up."""
LONGEST_WINDOW = 3
"""Steps back, at most, whose inputs and numbers a memory is compared with."""


NoiseOf: TypeAlias = Callable[[int], Noise | None]
"""Maker of the noise of a step, by its number; 0 is the start."""


def no_noise(t: int) -> None:
    """Return the noise of a step of a rule that draws none."""
    return None


@dataclass(frozen=True)
class Observed:
    """A run of a rule and a model, by time from 0 on.

    Attributes:
        memories: The rule's memories.
        numbers: The model's numbers.
        inputs: What each step read; entry t - 1 belongs to step t.
        model: The model.
    """

    memories: list[Memory]
    numbers: list[Numbers]
    inputs: list[Inputs]
    model: Model


@dataclass(frozen=True)
class Hypothesis:
    """A statement to prove: from time `first` on, every `period` steps, the memory is `identified`.

    Attributes:
        first: The time.
        period: The number of steps.
        window: The number of steps back that the quantities reach.
        memory: A memory of the form.
        identified: The terms of its numbers.
    """

    first: int
    period: int
    window: int
    memory: Memory
    identified: Identified


def residues(network: RecurrentNetwork, sizes: Sizes, weighted: bool) -> tuple[Problem, ModularField]:
    """Return a problem at a random point."""
    field = ModularField()
    return _problem(network, sizes, weighted, field, lambda name, shape: _random(field, name, shape)), field


def generic(network: RecurrentNetwork, sizes: Sizes, weighted: bool, field: FormalField) -> Problem:
    """Return the problem whose entries are generators."""
    return _problem(network, sizes, weighted, field, field.symbols)


def _random(field: ModularField, name: str, shape: tuple[int, ...]) -> FieldArray:
    size = 1
    for n in shape:
        size *= n
    return field.array((field.random("point", name, n) for n in range(size)), shape)


def _problem(
    network: RecurrentNetwork,
    sizes: Sizes,
    weighted: bool,
    field: Field,
    array: Callable[[str, tuple[int, ...]], FieldArray],
) -> Problem:
    ones = field.array([field.convert(1)] * sizes.T, (sizes.T,))
    return Problem(
        {name: array(name, shape) for name, shape in network.parameter_shapes(sizes).items()},
        array("inputs", (sizes.T, sizes.D)),
        array("targets", (sizes.T, sizes.K)),
        named_state(array, network.state_shape(sizes)) if start.is_given(network) else None,
        array("loss_weights", (sizes.T,)) if weighted else ones,
        network,
    )


def steps_of(problem: Problem) -> list[Inputs]:
    """Return what each step of a problem reads."""
    return [Inputs(*each) for each in zip(problem.inputs, problem.targets, problem.loss_weights, strict=True)]


def observe(stepper: Stepper, model: Model, problem: Problem, noise: NoiseOf = no_noise) -> Observed:
    """Run a rule and a model until the form of the rule's memory has been seen to repeat twice.

    Each step is taken twice, on new instances; what differs between the two is not in the memory.

    Args:
        stepper: The rule.
        model: The model.
        problem: The problem, long enough.
        noise: Makes the noise of each step; the same for one step twice.

    Raises:
        Unproved: The form does not repeat, or the two differ.
    """
    inputs = steps_of(problem)
    seen = Observed([stepper.start(noise(0))], [model.start()], inputs, model)
    for t, each in enumerate(inputs, start=1):
        one, other = (stepper.step(seen.memories[-1], *each, noise(t)) for _ in range(2))
        if one.memory.values != other.memory.values or one.memory.form != other.memory.form:
            raise Unproved("two steps from equal states differ: the rule keeps something outside its state")
        seen.memories.append(one.memory)
        seen.numbers.append(model.advance(seen.numbers[-1], *each)[0])
        if t >= 4 and any(_periods(seen.memories)):
            return seen
    text = next(first_difference(seen.memories[1:5]), "its form goes on changing")
    raise Unproved(f"the state is not one of finitely many forms: {text}, ...")


def _periods(memories: list[Memory]) -> Iterator[tuple[int, int]]:
    """Yield times from which, and numbers of steps after which, the form repeats to the end, the least first."""
    last = len(memories) - 1
    for period in range(1, last // 2 + 1):
        for first in range(last - 2 * period + 1):
            times = range(first, last - period + 1)
            if all(memories[t].form == memories[t + period].form for t in times):
                yield first, period
                break


def repeats(memories: list[Memory]) -> tuple[int, int]:
    """Return the time from which, and the number of steps after which, the form of the memories repeats."""
    return next(_periods(memories))


@dataclass(frozen=True)
class Sighting:
    """Times at which a memory of one form is compared with quantities.

    Attributes:
        times: The times, of which the first is where a proof begins.
        period: The steps between them.
        window: The number of steps back that the quantities reach.
        named: The quantities, by time.
    """

    times: range
    period: int
    window: int
    named: list[Named]


def sightings(seen: Observed) -> Iterator[Sighting]:
    """Yield what the memories of a run may be compared with, the fewest steps back first."""
    first, period = repeats(seen.memories)
    phases = sorted(range(first, first + period), key=lambda t: len(seen.memories[t].entries))
    for window in range(LONGEST_WINDOW + 1):
        start = phases[0]
        while start < window + seen.model.settled:
            start += period
        times = range(start, len(seen.memories), period)
        if len(times) < 2:
            return
        named = [quantities(seen.model, seen.numbers[t - window], seen.inputs[t - window : t]) for t in times]
        yield Sighting(times, period, window, named)


def hypotheses(seen: Observed) -> Iterator[Hypothesis | Identified]:
    """Yield what may be provable, the simplest first, and what was identified where not all is."""
    for each in sightings(seen):
        memories = [seen.memories[t] for t in each.times]
        paths = [entry.path for entry in memories[0].entries]
        found = identify(paths, [memory.values for memory in memories], each.named, PRIME)
        yield found if found.unknown else Hypothesis(each.times[0], each.period, each.window, memories[-1], found)
