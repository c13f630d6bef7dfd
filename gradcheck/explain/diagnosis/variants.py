"""Ways in which an operation of a backward pass may be wrong, for any network, each with words for it.

dropped      nothing goes back to an operand, or a quantity is taken for a constant
scaled       what goes back has the wrong sign, or counts twice
derivatives  the derivative of a function is left out, or that of another point, or only a part of it
moved        two parts of an array, or two factors, change places
factors      an operand gets another factor than the other operand: another quantity of the step, one of the step
             before or after, a transposed matrix, none, or one too many
errors       an operand gets the error of another operation
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...reference.cotangents import Product
from ...reference.functions import DERIVATIVES
from ...reference.networks.base import Capabilities, ask
from ...reference.tape import Edge, Traced, vjp
from .prototype import Part, Prototype
from .recorded import READOUT, STEP, Change, Scene

_MOVES = ("rearrangement", "split", "np.transpose", "np.concatenate")
"""Operations that only move entries: leaving out their derivative means nothing."""
Map = Callable[[Scene, Traced, Edge, Any], Any]
"""(scene, operation, edge, error of the operation) to the error of the operand."""


@dataclass(frozen=True)
class Variant:
    """A wrong backward pass: the parameters that it may change, the change, and words that follow "a backward pass"."""

    reach: frozenset[str]
    change: Change
    text: str


def variants(made: Prototype) -> Iterator[Variant]:
    """Yield wrong backward passes, the plainer first."""
    yield from _outputs(made)
    for family in (_dropped, _scaled, _derivatives, _moved, _factors, _errors):
        for part in (made.step, made.readout):
            yield from family(made, part)


def _outputs(made: Prototype) -> Iterator[Variant]:
    """Yield wrong derivatives of the output and its loss."""
    u = made.readout.nodes[0]
    if u.order not in made.readout.results or not u.edges:
        return
    for text, error in {
        "that takes the derivative of the output twice": _pulled_again,
        "with yhat - y for dL/du": _plain_error,
    }.items():

        def edges(scene: Scene, error: Any = error) -> list[Edge]:
            g = error(scene, scene.errors[0])
            return [_fed(edge, g) for edge in scene.nodes[0].edges]

        yield Variant(made.reached[u.order], {(READOUT, 0): edges}, text)


def _fed(edge: Edge, error: Any) -> Edge:
    """Return an edge that takes another error than it gets."""
    return edge._replace(linear=lambda _: edge.linear(error))


def _pulled_again(scene: Scene, g: Any) -> Any:
    network = scene.record.problem.network
    return vjp(lambda u: ask(network, Capabilities.output, u), scene.nodes[0].payload)[1](g)[0]


def _plain_error(scene: Scene, _: Any) -> Any:
    problem = scene.record.problem
    yhat = ask(problem.network, Capabilities.output, scene.nodes[0].payload)
    return problem.loss_weights[scene.t] * (yhat - problem.targets[scene.t])


def _one(made: Prototype, part: Part, place: int, number: int, to: Map, text: str) -> Variant:
    """Return the variant in which one operand gets something else."""

    def edges(scene: Scene) -> list[Edge]:
        node = scene.nodes[place]
        edge = node.edges[number]
        changed = edge._replace(linear=lambda g: to(scene, node, edge, g))
        return [*node.edges[:number], changed, *node.edges[number + 1 :]]

    reach = made.reached[part.nodes[place].edges[number].operand.order]
    return Variant(reach, {(part.kind, place): edges}, text)


def _nothing(_: Scene, __: Traced, edge: Edge, ___: Any) -> Any:
    return edge.operand.payload * 0


def _dropped(made: Prototype, part: Part) -> Iterator[Variant]:
    readers: dict[int, list[int]] = {}
    for place, number, node, edge in part.edges():
        readers.setdefault(edge.operand.order, []).append(place)
        yield _one(made, part, place, number, _nothing, f"that sends nothing {part.way(node, edge)}")
    for order, places in readers.items():
        operand = part.nodes[part.places[order]]
        if len(places) > 1 and part.names.get(order) not in made.record.problem.parameters:
            change = {(part.kind, place): _without(place, part.places[order]) for place in places}
            yield Variant(made.reached[order], change, f"that takes {part.text(operand)} for a constant")


def _without(place: int, operand: int) -> Callable[[Scene], Sequence[Edge]]:
    def edges(scene: Scene) -> list[Edge]:
        return [edge for edge in scene.nodes[place].edges if edge.operand is not scene.nodes[operand]]

    return edges


def _scaled(made: Prototype, part: Part) -> Iterator[Variant]:
    for call in part.calls():
        reach = made.reached[part.nodes[call.operand].order]
        text = f"in which the derivative of {call.text} has the wrong sign"
        yield Variant(reach, {(part.kind, call.place): _negated(call.place)}, text)
    for place, number, node, edge in part.edges():
        for factor, words in ((-1, "has the wrong sign"), (2, "counts twice")):

            def to(_: Scene, __: Traced, edge: Edge, g: Any, factor: int = factor) -> Any:
                return edge.linear(factor * g)

            yield _one(made, part, place, number, to, f"in which what goes {part.way(node, edge)} {words}")


def _negated(place: int) -> Callable[[Scene], Sequence[Edge]]:
    def edges(scene: Scene) -> list[Edge]:
        return [_minus(edge) for edge in scene.nodes[place].edges]

    return edges


def _minus(edge: Edge) -> Edge:
    return edge._replace(linear=lambda g: edge.linear(-g))


_PARTIAL: dict[str, Callable[[Any, Any], Any]] = {
    "without the derivative of {}": lambda value, g: g,
    "with the value of {} for its derivative": lambda value, g: g * value,
    "with 1 - the value of {} for its derivative": lambda value, g: g * (1 - value),
    "with minus the value of {} for its derivative": lambda value, g: -g * value,
}


def _derivatives(made: Prototype, part: Part) -> Iterator[Variant]:
    for call in part.calls():
        for words, of in _PARTIAL.items():

            def edges(scene: Scene, call: Any = call, of: Any = of) -> list[Edge]:
                value = scene.nodes[call.place].payload
                return [Edge(scene.nodes[call.operand], lambda g: of(value, g), 0)]

            reach = made.reached[part.nodes[call.operand].order]
            yield Variant(reach, {(part.kind, call.place): edges}, words.format(call.text))
    for place, number, node, edge in part.edges():
        if len(node.edges) == 1 and node.name not in _MOVES and node.payload.shape == edge.operand.payload.shape:
            yield from _of_function(made, part, place, number, node)


def _of_function(made: Prototype, part: Part, place: int, number: int, node: Traced) -> Iterator[Variant]:
    for words, of in _PARTIAL.items():

        def partly(_: Scene, node: Traced, __: Edge, g: Any, of: Any = of) -> Any:
            return of(node.payload, g)

        yield _one(made, part, place, number, partly, words.format(part.text(node)))
    slope = DERIVATIVES.get(node.name)
    if slope is None or node.name == "f'":
        return

    def at_value(_: Scene, node: Traced, __: Edge, g: Any) -> Any:
        return g * slope(node.payload)

    text = f"with the derivative of {node.name} taken at {part.text(node)}, its value"
    yield _one(made, part, place, number, at_value, text)
    for shift, words in ((-1, "the step before"), (1, "the step after")) if part.kind == STEP else ():

        def elsewhere(scene: Scene, _: Traced, __: Edge, g: Any, shift: int = shift) -> Any:
            there = scene.at(shift)
            return 0 * g if there is None else g * slope(there[place].edges[number].operand.payload)

        yield _one(made, part, place, number, elsewhere, f"with the derivative of {part.text(node)} of {words}")


def _moved(made: Prototype, part: Part) -> Iterator[Variant]:
    """Yield parts of an array, and factors, that change places, and wrong ends of a joined array."""
    nodes = part.nodes
    for place, node in enumerate(nodes):
        for other in range(place + 1, len(nodes)):
            if node.payload.shape == nodes[other].payload.shape and _moves_one(node, nodes[other]):
                change = {(part.kind, place): _edges_of(other), (part.kind, other): _edges_of(place)}
                text = f"in which {part.text(node)} and {part.text(nodes[other])} change places"
                yield Variant(made.reached[node.order], change, text)
    for place, number, node, edge in part.edges():
        if node.payload.ndim == 2 and node.payload.shape[0] == node.payload.shape[1] > 1:
            text = f"in which the error of {part.text(node)} is transposed, {part.way(node, edge)}"
            yield _one(made, part, place, number, lambda _, __, edge, g: edge.linear(g.T), text)
    yield from _exchanged(made, part)
    for place, number, node, edge in part.edges():
        if node.name == "np.concatenate":
            for words, cut in {"first": lambda g, n: g[:n], "last": lambda g, n: g[-n:]}.items():

                def to(_: Scene, __: Traced, edge: Edge, g: Any, cut: Any = cut) -> Any:
                    return cut(g, edge.operand.size)

                text = f"that gives {part.operand(node, edge)} the {words} entries of {part.text(node)}"
                yield _one(made, part, place, number, to, text)


def _moves_one(a: Traced, b: Traced) -> bool:
    """Return whether two operations move entries of the same array."""
    return (
        bool(a.edges and b.edges) and a.name in _MOVES and b.name in _MOVES and a.edges[0].operand is b.edges[0].operand
    )


def _edges_of(place: int) -> Callable[[Scene], Sequence[Edge]]:
    return lambda scene: scene.nodes[place].edges


def _exchanged(made: Prototype, part: Part) -> Iterator[Variant]:
    """Yield pairs of products whose factors get each other's errors."""
    ways = [way for way in part.edges() if way[2].name == "np.multiply" and way[3].operand.active]
    for first, number, node, edge in ways:
        for second, other_number, other, other_edge in ways:
            later = part.places[edge.operand.order] > second
            if second > first and later and edge.operand.payload.shape == other_edge.operand.payload.shape:
                change = _exchange(part.kind, first, number, second, other_number)
                reach = made.reached[edge.operand.order] | made.reached[other_edge.operand.order]
                text = f"in which what goes {part.way(node, edge)} and {part.way(other, other_edge)} changes places"
                yield Variant(reach, change, text)


def _exchange(kind: str, first: int, number: int, second: int, other: int) -> Change:
    """Return the change in which two operands get each other's errors; the operation at `first` comes first."""

    def at_first(scene: Scene) -> list[Edge]:
        return [edge for n, edge in enumerate(scene.nodes[first].edges) if n != number]

    def at_second(scene: Scene) -> list[Edge]:
        one, two = scene.nodes[first].edges[number], scene.nodes[second].edges[other]
        g = scene.errors.get(first)
        swapped = [one._replace(linear=two.linear)]
        if g is not None:
            swapped.append(two._replace(linear=lambda _: one.linear(g)))
        return [edge for n, edge in enumerate(scene.nodes[second].edges) if n != other] + swapped

    return {(kind, first): at_first, (kind, second): at_second}


def _factors(made: Prototype, part: Part) -> Iterator[Variant]:
    quantities = made.quantities(part)
    for place, number, node, edge in part.edges():
        role = _role(node, edge)
        if role is None:
            continue
        shape, use = role
        if node.name == "np.multiply" and node.payload.shape == edge.operand.payload.shape:
            text = f"without the factor {part.other(node, edge)} {part.way(node, edge)}"
            yield _one(made, part, place, number, lambda _, __, ___, g: g, text)
        for quantity in quantities:
            if quantity.seen.shape != shape:
                continue

            def to(scene: Scene, node: Traced, edge: Edge, g: Any, use: Any = use, value: Any = quantity.value) -> Any:
                found = value(scene)
                return _nothing(scene, node, edge, g) if found is None else use(g, found)

            text = f"with {quantity.text} where {part.other(node, edge)} belongs, {part.way(node, edge)}"
            yield _one(made, part, place, number, to, text)
    for place, number, node, edge in part.edges():
        if node.name != "np.multiply":
            continue
        for quantity in quantities:
            if quantity.seen.shape == node.payload.shape:

                def more(scene: Scene, node: Traced, edge: Edge, g: Any, value: Any = quantity.value) -> Any:
                    found = value(scene)
                    return edge.linear(0 * g if found is None else g * found)

                text = f"with {quantity.text} for a further factor {part.way(node, edge)}"
                yield _one(made, part, place, number, more, text)


def _role(node: Traced, edge: Edge) -> tuple[tuple[int, ...], Callable[[Any, Any], Any]] | None:
    """Return the shape of the other factor, and how the operand's error is made of it and the operation's."""
    own, made = edge.operand.payload.shape, node.payload.shape
    if node.name == "np.multiply":
        return made, lambda g, v: g * v
    if node.name != "np.matmul" or len(made) != 1:
        return None
    if len(own) == 2 and edge.place == 0:
        return own[1:], lambda g, v: Product(g.reshape(-1, 1), v.reshape(1, -1))
    if len(own) == 2:
        return own[:1], lambda g, v: Product(v.reshape(-1, 1), g.reshape(1, -1))
    if edge.place == 1:
        return made + own, lambda g, v: v.T @ g
    return own + made, lambda g, v: v @ g


def _errors(made: Prototype, part: Part) -> Iterator[Variant]:
    for place, number, node, edge in part.edges():
        if node.name not in ("np.matmul", "np.multiply"):
            continue
        for other, source in enumerate(part.nodes[: part.places[edge.operand.order]]):
            if other == place or not source.edges or source.payload.shape != node.payload.shape:
                continue
            text = f"with the error of {part.text(source)} for that of {part.text(node)}, {part.way(node, edge)}"
            change = _error_of(part.kind, place, number, other)
            yield Variant(made.reached[edge.operand.order], change, text)


def _error_of(kind: str, place: int, number: int, other: int) -> Change:
    """Return the change in which an operand of the operation at `place` gets the error of the one at `other`."""

    def without(scene: Scene) -> list[Edge]:
        return [edge for n, edge in enumerate(scene.nodes[place].edges) if n != number]

    def earlier(scene: Scene) -> list[Edge]:
        found = scene.errors.get(other)
        return without(scene) + ([] if found is None else [_fed(scene.nodes[place].edges[number], found)])

    def later(scene: Scene) -> list[Edge]:
        return [*scene.nodes[other].edges, scene.nodes[place].edges[number]]

    return {(kind, place): earlier} if other < place else {(kind, place): without, (kind, other): later}
