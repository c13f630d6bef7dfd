"""A network's operations, recorded on floats, with words for each: what a wrong backward pass may be wrong about."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...reference.noting import noting
from ...reference.problem import Problem
from ...reference.tape import Edge, Pullback, Traced
from ...reference.tree import flatten, leaves, path_name
from ...reference.typing import Array
from .recorded import READOUT, STEP, Recorded, Scene, recorded
from .wording import Words, words_here

_T = 1
"""The step that is looked at, which has one before and one after it."""
_SHIFTS = {0: "", -1: " of the step before", 1: " of the step after"}


@dataclass(frozen=True)
class Part:
    """The operations of a step or of a readout."""

    kind: str
    pullback: Pullback
    words: dict[int, Words]

    @property
    def nodes(self) -> Sequence[Traced]:
        """The operations and inputs, the last first."""
        return self.pullback.nodes

    @cached_property
    def places(self) -> dict[int, int]:
        """Order of each operation or input to its place."""
        return {node.order: place for place, node in enumerate(self.nodes)}

    @cached_property
    def names(self) -> dict[int, str]:
        """Order of each input to its name."""
        parameters, state = self.pullback.leaves
        named = {array.order: name for name, array in parameters.items()}
        return named | {leaf.order: path_name("state", path) for path, leaf in flatten(state)}

    @cached_property
    def results(self) -> frozenset[int]:
        """The orders of the state after the step, or of the outputs."""
        return frozenset(node.order for node in leaves(self.pullback.outputs) if isinstance(node, Traced))

    def edges(self) -> Iterator[tuple[int, int, Traced, Edge]]:
        """Yield each operand: place of the operation, number of the edge, operation, edge."""
        for place, node in enumerate(self.nodes):
            for number, edge in enumerate(node.edges):
                yield place, number, node, edge

    def text(self, node: Traced) -> str:
        """Return words for the value of an operation or input."""
        if node.order in self.names:
            return f"`{self.names[node.order]}`"
        words = self.words.get(node.order)
        if node.order in self.results and self.kind == STEP:
            return f"the new state `{words.result}`" if words else "the new state"
        if words is None:
            return f"a result of {node.name}"
        return f"`{words.result}`" + (f" in `{words.calls[0][0]}`" if words.calls else "")

    def operand(self, node: Traced, edge: Edge) -> str:
        """Return words for an operand of an operation."""
        words = self.words.get(node.order)
        if words is None or edge.place >= len(words.operands):
            return self.text(edge.operand)
        return f"`{words.operands[edge.place]}`"

    def other(self, node: Traced, edge: Edge) -> str:
        """Return words for the other operand of an operation of two."""
        words = self.words.get(node.order)
        if words and len(words.operands) == 2:
            return f"`{words.operands[1 - edge.place]}`"
        return next((self.text(each.operand) for each in node.edges if each is not edge), "the other factor")

    def way(self, node: Traced, edge: Edge) -> str:
        """Return words for the way of an error from an operation to an operand."""
        return f"from {self.text(node)} back to {self.operand(node, edge)}"

    def reached(self, carried: Sequence[frozenset[str]]) -> dict[int, frozenset[str]]:
        """Map orders to the parameters that an error reaches; `carried` has those of each array of the state before."""
        parameters, state = self.pullback.leaves
        found = {array.order: frozenset({name}) for name, array in parameters.items()}
        found |= {leaf.order: names for leaf, names in zip(leaves(state), carried, strict=True)}
        for node in reversed(self.nodes):
            if node.edges:
                found[node.order] = frozenset[str]().union(*(found[edge.operand.order] for edge in node.edges))
        return found

    def calls(self) -> Iterator[Call]:
        """Yield the calls of helper functions of one argument whose values have that argument's shape."""
        members: dict[Any, list[int]] = {}
        for place, node in enumerate(self.nodes):
            if (words := self.words.get(node.order)) and words.calls:
                members.setdefault(words.calls[0], []).append(place)
        for (text, _), places in members.items():
            made = {self.nodes[place].order for place in places}
            given = {
                edge.operand.order
                for place in places
                for edge in self.nodes[place].edges
                if edge.operand.order not in made
            }
            if len(given) == 1:
                call = Call(places[0], self.places[given.pop()], f"`{text}`")
                if self.nodes[call.operand].payload.shape == self.nodes[call.place].payload.shape:
                    yield call


@dataclass(frozen=True)
class Call:
    """A call of a helper function: places of its value and of its argument, and words."""

    place: int
    operand: int
    text: str


@dataclass(frozen=True)
class Quantity:
    """A value that may stand in a wrong place.

    Attributes:
        value: Returns it where an error passes; None where there is none.
        text: Words for it.
        seen: It on the prototype.
    """

    value: Callable[[Scene], Any]
    text: str
    seen: Array


@dataclass(frozen=True)
class Prototype:
    """A record on floats, from which variants are listed."""

    record: Recorded
    step: Part
    readout: Part

    @cached_property
    def reached(self) -> dict[int, frozenset[str]]:
        """Order of each operation or input to the parameters that its error reaches, in this step or earlier."""
        results = leaves(self.step.pullback.outputs)
        carried: list[frozenset[str]] = [frozenset()] * len(results)
        while True:
            found = self.step.reached(carried)
            after = [found.get(getattr(result, "order", -1), frozenset[str]()) for result in results]
            if after == carried:
                return found | self.readout.reached(carried)
            carried = after

    def quantities(self, part: Part) -> list[Quantity]:
        """Return the values that a part's code, or its author, may take for each other, each once."""
        record, found, known = self.record, list[Quantity](), set[Any]()
        scene = Scene(record, _T, part.nodes)

        def add(value: Callable[[Scene], Any], text: str) -> None:
            seen = np.asarray(value(scene), dtype=float)
            key = seen.shape, seen.tobytes()
            if key not in known:
                known.add(key)
                found.append(Quantity(value, text, seen))

        for shift, later in _SHIFTS.items():
            for place, node in enumerate(part.nodes):
                parameter = part.names.get(node.order) in record.problem.parameters
                if node.payload.ndim == 2 and shift == 0:
                    add(_at(part.kind, place, 0), part.text(node))
                    add(_at(part.kind, place, 0, turned=True), f"{part.text(node)} transposed")
                elif not parameter and (part.kind == STEP or shift == 0) and not _is_inner(part, node):
                    add(_at(part.kind, place, shift), part.text(node) + later)
            if part.kind == STEP:
                add(_input(shift), f"the input{later}")
        return found


def _is_inner(part: Part, node: Traced) -> bool:
    """Return whether a value is a part of a sum that has no name."""
    words = part.words.get(node.order)
    if node.order in part.results:
        return False
    return bool(words and node.name in ("np.add", "np.matmul") and (words.calls or " = " not in words.result))


def _at(kind: str, place: int, shift: int, turned: bool = False) -> Callable[[Scene], Any]:
    def value(scene: Scene) -> Any:
        nodes = scene.at(shift) if kind == STEP else scene.nodes
        if nodes is None:
            return None
        return nodes[place].payload.T if turned else nodes[place].payload

    return value


def _input(shift: int) -> Callable[[Scene], Any]:
    def value(scene: Scene) -> Any:
        inputs, t = scene.record.problem.inputs, scene.t + shift
        return inputs[t] if 0 <= t < len(inputs) else None

    return value


def prototype(problem: Problem) -> Prototype:
    """Record a float problem of three steps or more, with the words of its network's source.

    Raises:
        GradcheckError: The network uses an operation that the tape has no rule for.
    """
    words: dict[int, Words] = {}
    network = problem.network
    codes = [getattr(inspect.unwrap(function), "__code__", None) for function in (network.step, network.readout)]

    def note(made: Traced) -> None:
        for code in codes:
            if code is not None and (found := words_here(code, depth=2)):
                words[made.order] = found

    with noting(note):
        record = recorded(problem)
    return Prototype(record, Part(STEP, record.steps[_T], words), Part(READOUT, record.readouts[_T], words))
