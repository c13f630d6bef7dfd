"""Ways in which one operation of a backward pass may be wrong, for any network, each with words for it.

    dropped        nothing goes back to an operand
    sign, twice    what goes back has the wrong sign, or counts twice
    derivative     the derivative of a function is left out, or that of another point, or only a part of it
    factor         an operand gets another factor than the other operand: another quantity of the step, one of the step
                   before or after, a transposed matrix, or none
    error          an operand gets the error of another operation
    exchanged      two parts of an array change places
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...reference.cotangents import Product
from ...reference.functions import DERIVATIVES
from ...reference.noting import noting
from ...reference.problem import Problem
from ...reference.tape import Edge, Pullback, Traced
from ...reference.tree import flatten, leaves, path_name
from .recorded import READOUT, STEP, Change, Recorded, Scene, recorded
from .wording import Words, words_here

_SHIFTS = {0: "", -1: " of the step before", 1: " of the step after"}
_PLAIN = ("rearrangement", "split", "np.transpose", "np.concatenate")
"""Operations that only move entries: leaving out their derivative means nothing."""


@dataclass(frozen=True)
class Variant:
    """A wrong backward pass: the parameters that it may change, the change, and words that follow "a backward pass"."""

    reach: frozenset[str]
    change: Change
    text: str


@dataclass(frozen=True)
class Part:
    """A step's or a readout's operations, with words for each."""

    kind: str
    pullback: Pullback
    words: dict[int, Words]

    @property
    def nodes(self) -> Sequence[Traced]:
        return self.pullback.nodes

    @cached_property
    def names(self) -> dict[int, str]:
        """Order of an input to its name."""
        parameters, state = self.pullback.leaves
        named = {array.order: name for name, array in parameters.items()}
        return named | {leaf.order: path_name("state", path) for path, leaf in flatten(state)}

    def text(self, node: Traced) -> str:
        """Return words for the value of an operation or input."""
        if node.order in self.names:
            return f"`{self.names[node.order]}`"
        words = self.words.get(node.order)
        if any(node is output for output in leaves(self.pullback.outputs)) and self.kind == STEP:
            return f"the new state `{words.result}`" if words else "the new state"
        if words is None:
            return f"a result of {node.name}"
        inner = f" in `{words.calls[0][0]}`" if words.calls else ""
        return f"`{words.result}`{inner}"

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

    def edge(self, node: Traced, edge: Edge) -> str:
        return f"from {self.text(node)} back to {self.operand(node, edge)}"


@dataclass(frozen=True)
class Prototype:
    """A record on floats, from which variants are listed."""

    record: Recorded
    step: Part
    readout: Part

    @cached_property
    def reached(self) -> dict[int, frozenset[str]]:
        """Order of each operation or input to the parameters that its error reaches, in this step or earlier."""
        carried: list[frozenset[str]] = [frozenset()] * len(leaves(self.step.pullback.outputs))
        while True:
            found = _reached(self.step, carried)
            after = [found.get(getattr(out, "order", -1), frozenset()) for out in leaves(self.step.pullback.outputs)]
            if after == carried:
                return found | _reached(self.readout, carried)
            carried = after


def _reached(part: Part, carried: Sequence[frozenset[str]]) -> dict[int, frozenset[str]]:
    """Map orders to parameters, given those that the error of each array of the state before reaches."""
    parameters, state = part.pullback.leaves
    found = {array.order: frozenset({name}) for name, array in parameters.items()}
    found |= {leaf.order: names for leaf, names in zip(leaves(state), carried, strict=True)}
    for node in reversed(part.nodes):
        if node.edges:
            found[node.order] = frozenset().union(*(found[edge.operand.order] for edge in node.edges))
    return found


def prototype(problem: Problem) -> Prototype:
    """Record a float problem with the words of its network's source."""
    words: dict[int, Words] = {}
    network = problem.network
    codes = [getattr(inspect.unwrap(f), "__code__", None) for f in (network.step, network.readout)]

    def note(made: Traced) -> None:
        for code in codes:
            if code is not None and (found := words_here(code, depth=2)):
                words[made.order] = found

    with noting(note):
        record = recorded(problem)
    return Prototype(
        record, Part(STEP, record.steps[0], words), Part(READOUT, record.readouts[0], words)
    )


def variants(made: Prototype) -> Iterator[Variant]:
    """Yield wrong backward passes, the plainer first."""
    for family in (_dropped, _scaled, _derivatives, _moves, _factors, _errors):
        for part in (made.step, made.readout):
            yield from family(made, part)


Family = Iterator[Variant]
Map = Callable[[Scene, Traced, Any], Any]
"""(scene, operation, its error) to the error of an operand."""


def _variant(made: Prototype, part: Part, place: int, number: int, to: Map, text: str) -> Variant:
    """Return the variant in which one operand gets something else."""

    def edges(scene: Scene) -> list[Edge]:
        node = scene.nodes[place]
        changed = node.edges[number]._replace(linear=lambda g: to(scene, node, g))
        return [*node.edges[:number], changed, *node.edges[number + 1 :]]

    reach = made.reached[part.nodes[place].edges[number].operand.order]
    return Variant(reach, {(part.kind, place): edges}, text)


def _places(part: Part) -> Iterator[tuple[int, int, Traced, Edge]]:
    for place, node in enumerate(part.nodes):
        for number, edge in enumerate(node.edges):
            yield place, number, node, edge


def _dropped(made: Prototype, part: Part) -> Family:
    for call in _calls(part):
        yield call.variant(made, lambda value, g: 0 * g, f"that takes {call.text} for a constant")
    for place, number, node, edge in _places(part):
        text = f"that sends nothing {part.edge(node, edge)}"
        yield _variant(made, part, place, number, lambda _, n, g, i=number: n.edges[i].operand.payload * 0, text)


def _scaled(made: Prototype, part: Part) -> Family:
    for call in _calls(part):
        yield call.negated(made)
    for place, number, node, edge in _places(part):
        for factor, words in ((-1, "has the wrong sign"), (2, "counts twice")):

            def to(_: Scene, node: Traced, g: Any, number: int = number, factor: int = factor) -> Any:
                value = node.edges[number].linear(g)
                return Product(factor * value.left, value.right) if isinstance(value, Product) else factor * value

            yield _variant(made, part, place, number, to, f"in which what goes {part.edge(node, edge)} {words}")


def _derivatives(made: Prototype, part: Part) -> Family:
    partial: dict[str, Callable[[Any, Any], Any]] = {
        "without the derivative of {}": lambda value, g: g,
        "with the value of {} for its derivative": lambda value, g: g * value,
        "with 1 - the value of {} for its derivative": lambda value, g: g * (1 - value),
    }
    for call in _calls(part):
        for words, of in partial.items():
            yield call.variant(made, of, words.format(call.text))
    for place, number, node, edge in _places(part):
        if len(node.edges) > 1 or node.name in _PLAIN or node.payload.shape != edge.operand.payload.shape:
            continue
        for words, of in partial.items():
            text = words.format(part.text(node))
            yield _variant(made, part, place, number, lambda _, n, g, of=of: of(n.payload, g), text)
        if (slope := DERIVATIVES.get(node.name)) and node.name != "f'":
            text = f"with the derivative of {node.name} taken at {part.text(node)}, its value"
            yield _variant(made, part, place, number, lambda _, n, g, f=slope: g * f(n.payload), text)
            for shift in (-1, 1):

                def to(scene: Scene, node: Traced, g: Any, f: Any = slope, i: int = place, shift: int = shift) -> Any:
                    there = scene.at(shift)
                    return 0 * g if there is None else g * f(there[i].edges[0].operand.payload)

                if part.kind == STEP:
                    yield _variant(
                        made, part, place, number, to, f"with the derivative of {part.text(node)}{_SHIFTS[shift]}"
                    )


def _moves(made: Prototype, part: Part) -> Family:
    """Yield parts of an array that change places, and wrong ends of a joined array."""
    nodes = part.nodes
    for place, node in enumerate(nodes):
        for other in range(place + 1, len(nodes)):
            if not (node.edges and nodes[other].edges and node.name in _PLAIN and nodes[other].name in _PLAIN):
                continue
            if node.payload.shape != nodes[other].payload.shape:
                continue
            if node.edges[0].operand is nodes[other].edges[0].operand:
                pair = {(part.kind, a): _edges_of(b, a) for a, b in ((place, other), (other, place))}
                text = f"in which {part.text(node)} and {part.text(nodes[other])} change places"
                yield Variant(made.reached[node.order], pair, text)
    for place, number, node, edge in _places(part):
        if node.name == "np.concatenate":
            for words, cut in {"first": lambda g, n: g[:n], "last": lambda g, n: g[-n:]}.items():

                def to(_: Scene, node: Traced, g: Any, cut: Any = cut, number: int = number) -> Any:
                    return cut(g, node.edges[number].operand.size)

                whole, some = part.text(node), part.operand(node, edge)
                yield _variant(made, part, place, number, to, f"that gives {some} the {words} entries of {whole}")


def _edges_of(place: int, like: int) -> Callable[[Scene], Sequence[Edge]]:
    return lambda scene: scene.nodes[place].edges


def _factors(made: Prototype, part: Part) -> Family:
    quantities = list(_quantities(made, part))
    for place, number, node, edge in _places(part):
        role = _role(node, edge)
        if role is None:
            continue
        shape, use, right = role
        if node.name in ("np.multiply", "np.divide"):
            text = f"without the factor {part.other(node, edge)} {part.edge(node, edge)}"
            if node.payload.shape == edge.operand.payload.shape:
                yield _variant(made, part, place, number, lambda _, n, g: g, text)
        for quantity in quantities:
            if quantity.shape != shape or quantity.same_as(right):
                continue

            def to(scene: Scene, node: Traced, g: Any, use: Any = use, value: Any = quantity.value) -> Any:
                found = value(scene)
                return None if found is None else use(g, found)

            text = f"with {quantity.text} where {part.other(node, edge)} belongs, {part.edge(node, edge)}"
            yield _variant(made, part, place, number, _or_nothing(to, number), text)


def _or_nothing(to: Map, number: int) -> Map:
    """Return a map that answers zeros where a map has no answer."""

    def otherwise(scene: Scene, node: Traced, g: Any) -> Any:
        value = to(scene, node, g)
        return node.edges[number].operand.payload * 0 if value is None else value

    return otherwise


def _role(node: Traced, edge: Edge) -> tuple[tuple[int, ...], Callable[[Any, Any], Any], Any] | None:
    """Return the other factor's shape, how the operand's error is made of it, and its value where that is known."""
    other = next((e.operand.payload for e in node.edges if e is not edge), None)
    own, made = edge.operand.payload.shape, node.payload.shape
    if node.name == "np.multiply":
        return made, lambda g, v: g * v, other
    if node.name == "np.matmul" and len(made) == 1:
        if len(own) == 2 and edge.place == 0:
            return own[1:], lambda g, v: Product(g.reshape(-1, 1), v.reshape(1, -1)), other
        if len(own) == 2:
            return own[:1], lambda g, v: Product(v.reshape(-1, 1), g.reshape(1, -1)), other
        if edge.place == 1:
            return made + own, lambda g, v: v.T @ g, other
        return own + made, lambda g, v: v @ g, other
    return None


@dataclass(frozen=True)
class Quantity:
    """A value of a step that may stand in a wrong place."""

    shape: tuple[int, ...]
    value: Callable[[Scene], Any]
    text: str
    seen: Any

    def same_as(self, value: Any) -> bool:
        return value is not None and value.shape == self.seen.shape and np.array_equal(value, self.seen)


def _quantities(made: Prototype, part: Part) -> Iterator[Quantity]:
    known: set[tuple[Any, ...]] = set()
    scene = Scene(made.record, 1, made.record.steps[1].nodes)
    for shift in (0, -1, 1) if part.kind == STEP else (0,):
        for place, node in enumerate(part.nodes):
            for turned in (False, True) if node.payload.ndim == 2 and shift == 0 else (False,):
                is_parameter = part.names.get(node.order) in made.record.problem.parameters
                if shift and is_parameter:
                    continue
                value = _value(part.kind, place, shift, turned)
                seen = np.asarray(value(scene) if part.kind == STEP else node.payload, dtype=float)
                key = (seen.shape, seen.tobytes())
                if value(scene) is None or key in known:
                    continue
                known.add(key)
                text = part.text(node) + (" transposed" if turned else _SHIFTS[shift])
                yield Quantity(seen.shape, value, text, seen if not shift else np.nan * seen)
    if part.kind == STEP:
        for shift, words in _SHIFTS.items():
            yield Quantity(made.record.problem.inputs[0].shape, _input(shift), f"the input{words}", np.array(np.nan))


def _value(kind: str, place: int, shift: int, turned: bool) -> Callable[[Scene], Any]:
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


def _errors(made: Prototype, part: Part) -> Family:
    for place, number, node, edge in _places(part):
        if node.name not in ("np.matmul", "np.multiply"):
            continue
        for other in range(place):
            source = part.nodes[other]
            if not source.edges or source.payload.shape != node.payload.shape:
                continue

            def to(scene: Scene, node: Traced, g: Any, other: int = other, number: int = number) -> Any:
                found = scene.errors.get(other)
                return node.edges[number].linear(0 * g if found is None else found)

            text = f"with the error of {part.text(source)} for that of {part.text(node)}, {part.edge(node, edge)}"
            yield _variant(made, part, place, number, to, text)


@dataclass(frozen=True)
class Call:
    """A call of a helper function, of one argument that counts, whose value has that argument's shape."""

    part: Part
    place: int
    operand: int
    text: str

    def variant(self, made: Prototype, of: Callable[[Any, Any], Any], text: str) -> Variant:
        """Return the variant in which the argument gets `of(value, g)`."""

        def edges(scene: Scene) -> list[Edge]:
            node, operand = scene.nodes[self.place], scene.nodes[self.operand]
            return [Edge(operand, lambda g: of(node.payload, g), 0)]

        reach = made.reached[self.part.nodes[self.operand].order]
        return Variant(reach, {(self.part.kind, self.place): edges}, text)


    def negated(self, made: Prototype) -> Variant:
        """Return the variant in which the derivative has the wrong sign."""

        def edges(scene: Scene) -> list[Edge]:
            return [edge._replace(linear=lambda g, f=edge.linear: f(-g)) for edge in scene.nodes[self.place].edges]

        reach = made.reached[self.part.nodes[self.operand].order]
        text = f"in which the derivative of {self.text} has the wrong sign"
        return Variant(reach, {(self.part.kind, self.place): edges}, text)


def _calls(part: Part) -> Iterator[Call]:
    members: dict[Any, list[int]] = {}
    for place, node in enumerate(part.nodes):
        words = part.words.get(node.order)
        if words and words.calls:
            members.setdefault(words.calls[0], []).append(place)
    for (text, _), places in members.items():
        inside = {part.nodes[place].order for place in places}
        outer = {
            edge.operand.order: edge.operand
            for place in places
            for edge in part.nodes[place].edges
            if edge.operand.order not in inside
        }
        last = part.nodes[places[0]]
        if len(outer) == 1 and (operand := next(iter(outer.values()))).payload.shape == last.payload.shape:
            where = next(n for n, node in enumerate(part.nodes) if node is operand)
            yield Call(part, places[0], where, f"`{text}`")
