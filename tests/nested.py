"""Networks with a single-number parameter, with states that are lists, dicts and nests, and a rule for any of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.network import Sizes


class Cell:
    """Elman's cell without a nested state, and without a base class of gradcheck."""

    name = "mine"

    def parameter_shapes(self, s: Sizes) -> Any:
        return {"W": (s.I, s.D), "R": (s.I, s.I), "V": (s.K, s.I)}

    def state_shape(self, s: Sizes) -> Any:
        return (s.I,)

    def sizes_of(self, p: Any, T: int) -> Any:
        return Sizes(T, *p["W"].shape, p["V"].shape[0])

    def enter(self, p: Any, a: Any, x: Any) -> Any:
        return np.tanh(p["W"] @ x + p["R"] @ a)

    def step(self, p: Any, a: Any, x: Any) -> Any:
        return self.enter(p, a, x)

    def readout(self, p: Any, a: Any) -> Any:
        return p["V"] @ a

    def output(self, u: Any) -> Any:
        return u

    def loss_value(self, u: Any, y: Any) -> Any:
        return ((u - y) ** 2).sum() / 2

    def output_error(self, u: Any, y: Any) -> Any:
        return u - y


@dataclass(frozen=True)
class ScalarCell(Cell):
    """One leak for all units: a parameter of shape ()."""

    def parameter_shapes(self, s: Sizes) -> Any:
        return {**super().parameter_shapes(s), "leak": ()}

    def step(self, p: Any, a: Any, x: Any) -> Any:
        return p["leak"] * a + self.enter(p, a, x)


@dataclass(frozen=True)
class TupleSizesCell(Cell):
    """`sizes_of` returns a tuple."""

    def sizes_of(self, p: Any, T: int) -> Any:
        return (T, *p["W"].shape, p["V"].shape[0])


class Pair(NamedTuple):
    """A state as a named tuple."""

    h: Any
    c: Any


class Summing(Cell):
    """A cell c that adds up h; subclasses say how the two are nested."""

    def pack(self, h: Any, c: Any) -> Any:
        raise NotImplementedError

    def unpack(self, state: Any) -> Any:
        raise NotImplementedError

    def state_shape(self, s: Sizes) -> Any:
        return self.pack((s.I,), (s.I,))

    def step(self, p: Any, state: Any, x: Any) -> Any:
        h, c = self.unpack(state)
        h = self.enter(p, h, x)
        return self.pack(h, c + h)

    def readout(self, p: Any, state: Any) -> Any:
        return p["V"] @ self.unpack(state)[1]


@dataclass(frozen=True)
class ListCell(Summing):
    """The state [h, c]."""

    def pack(self, h: Any, c: Any) -> Any:
        return [h, c]

    def unpack(self, state: Any) -> Any:
        return state


@dataclass(frozen=True)
class DictCell(Summing):
    """The state {"h": h, "c": c}."""

    def pack(self, h: Any, c: Any) -> Any:
        return {"h": h, "c": c}

    def unpack(self, state: Any) -> Any:
        return state["h"], state["c"]


@dataclass(frozen=True)
class NestedCell(Summing):
    """The state {"layers": [(h,)], "cell": c}."""

    def pack(self, h: Any, c: Any) -> Any:
        return {"layers": [(h,)], "cell": c}

    def unpack(self, state: Any) -> Any:
        return state["layers"][0][0], state["cell"]


@dataclass(frozen=True)
class NamedCell(Summing):
    """The state Pair(h, c)."""

    def pack(self, h: Any, c: Any) -> Any:
        return Pair(h, c)

    def unpack(self, state: Any) -> Any:
        return state


CELLS = [ScalarCell(), TupleSizesCell(), ListCell(), DictCell(), NestedCell(), NamedCell()]


def backward(problem: Any, *, leak: bool = True, recurrent: bool = True) -> dict[str, Any]:
    """Backpropagation through time for each of `CELLS`; without `leak` or `recurrent`, that part is forgotten."""
    p, net, summing = problem.parameters, problem.network, isinstance(problem.network, Summing)
    states, fresh = [problem.initial_state], []
    for x in problem.inputs:
        h = net.unpack(states[-1])[0] if summing else states[-1]
        fresh.append(net.enter(p, h, x))
        states.append(net.step(p, states[-1], x))
    g = {name: 0 * array for name, array in p.items()}
    dh = dc = 0 * fresh[0]
    for t in reversed(range(problem.T)):
        before = net.unpack(states[t])[0] if summing else states[t]
        seen = net.unpack(states[t + 1])[1] if summing else states[t + 1]
        e = net.output_error(net.readout(p, states[t + 1]), problem.targets[t])
        g["V"] = g["V"] + np.outer(e, seen)
        if summing:
            dc = dc + p["V"].T @ e
            total = dh + dc
        else:
            total = dh + p["V"].T @ e
        ds = (1 - fresh[t] ** 2) * total
        g["W"] = g["W"] + np.outer(ds, problem.inputs[t])
        g["R"] = g["R"] + np.outer(ds, before)
        dh = p["R"].T @ ds if recurrent else 0 * ds
        if "leak" in p:
            g["leak"] = g["leak"] + before @ total
            dh = dh + p["leak"] * total if leak else dh
    return g
