"""A backward pass through the operations of a network, some of which may pass on something else.

A network's steps and readouts are recorded once on a problem, on any scalars. Any number of changed backward passes run
over the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...reference import lags
from ...reference.cotangents import CotangentSum
from ...reference.problem import Problem, map_state
from ...reference.tape import Edge, Pullback, Traced
from ...reference.tape_rules import fit
from ...reference.tree import map_nest
from ...reference.typing import Array, Gradient, State

STEP, READOUT = "step", "readout"


@dataclass(frozen=True)
class Scene:
    """One step or readout while errors pass back through it.

    Attributes:
        record: The whole record.
        t: The step, from 0.
        nodes: The operations, the last first.
        errors: Place of an operation to the error of its result, for those that were passed.
    """

    record: Recorded
    t: int
    nodes: Sequence[Traced]
    errors: dict[int, Array] = field(default_factory=dict)

    def at(self, shift: int) -> Sequence[Traced] | None:
        """Return the operations of the step that is `shift` steps later, or None where there is none."""
        t = self.t + shift
        return self.record.steps[t].nodes if 0 <= t < len(self.record.steps) else None


Change = Mapping[tuple[str, int], Callable[[Scene], Sequence[Edge]]]
"""(STEP or READOUT, place of an operation) to what stands for its edges."""


@dataclass(frozen=True)
class Recorded:
    """The steps of a problem, each with its readout, and the errors at the outputs."""

    problem: Problem
    steps: tuple[Pullback, ...]
    readouts: tuple[Pullback, ...]
    errors: tuple[Array, ...]
    start: Pullback | None

    def gradient(self, change: Change) -> Gradient:
        """Return the gradient of a backward pass with a change, or the true one with none."""
        total = {name: CotangentSum(array) for name, array in self.problem.parameters.items()}
        carried: State = None
        for t in reversed(range(len(self.steps))):
            own, state = _pulled(Scene(self, t, self.readouts[t].nodes), self.readouts[t], self.errors[t], change)
            _add(total, own)
            if carried is not None:
                state = map_state(lambda a, b: a + b, state, carried)
            own, carried = _pulled(Scene(self, t, self.steps[t].nodes), self.steps[t], state, change)
            _add(total, own)
        if self.start is not None:
            _add(total, self.start.terms(carried)[0])
        return {name: terms.array() for name, terms in total.items()}


def recorded(problem: Problem) -> Recorded:
    """Run a problem's network forwards.

    Raises:
        GradcheckError: It uses an operation that the tape has no rule for.
    """
    run = lags.unroll(problem)
    return Recorded(problem, tuple(run.steps), tuple(run.readout_pulls), tuple(run.errors), run.start)


def _add(total: dict[str, CotangentSum], contribution: dict[str, CotangentSum]) -> None:
    for name, part in contribution.items():
        total[name].add(*part.terms)


def _pulled(scene: Scene, pullback: Pullback, error: Any, change: Change) -> tuple[dict[str, CotangentSum], State]:
    """Return the contributions to the parameters, and the error of the state before."""
    kind = STEP if pullback is scene.record.steps[scene.t] else READOUT
    sums = {node.order: CotangentSum(node.payload) for node in pullback.nodes}

    def seed(output: Any, g: Array) -> None:
        if isinstance(output, Traced) and output.active:
            sums[output.order].add(g)

    map_nest(seed, pullback.outputs, error)
    for place, node in enumerate(pullback.nodes):
        if not node.edges or not sums[node.order].terms:
            continue
        g = scene.errors[place] = sums[node.order].array()
        changed = change.get((kind, place))
        for operand, linear, _ in node.edges if changed is None else changed(scene):
            sums[operand.order].add(fit(linear(g), operand.payload, g))
    parameters, state = map_nest(lambda leaf: sums.get(leaf.order) or CotangentSum(leaf.payload), pullback.leaves)
    return parameters, map_state(CotangentSum.array, state)
