"""Rules given as passes, written by hand, right and wrong, for proofs by induction forwards and backwards."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np


class Plain:
    """BPTT in another style: dicts, the cotangent is delta(t+1), tanh' = 1 - a^2 and the squared error written out."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return {"p": dict(parameters), "a": initial_state}

    def forward(self, state: Any, x: Any) -> Any:
        p, before = state["p"], state["a"]
        a = np.tanh(p["W"].T @ x + p["R"].T @ before)
        return {"p": p, "a": a}, self.kept(p, x, before, a)

    def kept(self, p: Any, x: Any, before: Any, a: Any) -> Any:
        return {"p": p, "x": x, "before": before, "a": a}

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        p, a = kept["p"], kept["a"]
        e = p["V"].T @ a - y
        delta = self.slope(a) * (p["V"] @ e + self.through(p["R"], cotangent))
        return delta, {"W": np.outer(kept["x"], delta), "R": np.outer(kept["before"], delta), "V": np.outer(a, e)}

    def slope(self, a: Any) -> Any:
        return 1 - a * a

    def through(self, R: Any, delta: Any) -> Any:
        """Return what the losses of later steps contribute to dL/da."""
        return R @ delta


class NoneAtEnd(Plain):
    """The same, with None for the cotangent after the last step."""

    def end(self, state: Any) -> Any:
        return None

    def through(self, R: Any, delta: Any) -> Any:
        return 0 if delta is None else R @ delta


class InSelf(Plain):
    """The same, with the parameters in an attribute, where the class has been made without arguments."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        self.p = parameters
        return initial_state

    def forward(self, state: Any, x: Any) -> Any:
        after, kept = super().forward({"p": self.p, "a": state}, x)
        return after["a"], [kept["x"], kept["before"], kept["a"]]

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        x, before, a = kept
        return super().backward(cotangent, {"p": self.p, "x": x, "before": before, "a": a}, y)


class Late(Plain):
    """The same, with R's share of step t contributed at step t - 1, and that of step 1 by `finish`."""

    def end(self, state: Any) -> Any:
        return 0 * state["a"], state["a"]

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        delta, part = super().backward(cotangent[0], kept, y)
        return (delta, kept["before"]), {**part, "R": np.outer(cotangent[1], cotangent[0])}

    def finish(self, cotangent: Any) -> Any:
        p = np.outer(cotangent[1], cotangent[0])
        return {"W": self.none, "R": p, "V": self.none_out}

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        self.none, self.none_out = 0 * parameters["W"], 0 * parameters["V"]
        return super().start(network, parameters, initial_state)


class WithFirst(Plain):
    """The same, with a first state of another form."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return network, parameters, initial_state

    def forward(self, state: Any, x: Any) -> Any:
        if isinstance(state, tuple):
            state = {"p": state[1], "a": state[2]}
        return super().forward(state, x)


class Transposed(Plain):
    def through(self, R: Any, delta: Any) -> Any:
        return R.T @ delta


class Cut(Plain):
    """Passes no cotangent on: the gradient truncated at lag 0."""

    def through(self, R: Any, delta: Any) -> Any:
        return 0 * (R @ delta)


class Decays(Plain):
    def through(self, R: Any, delta: Any) -> Any:
        return 99 * (R @ delta) / 100


class WrongSlope(Plain):
    def slope(self, a: Any) -> Any:
        return 1 - a


class StateAfter(Plain):
    """Pairs delta(t) with a(t)."""

    def kept(self, p: Any, x: Any, before: Any, a: Any) -> Any:
        return {"p": p, "x": x, "before": a, "a": a}


class NotZeroAtEnd(Plain):
    def end(self, state: Any) -> Any:
        return state["a"]


class LastLossMissing(NoneAtEnd):
    """Leaves the loss of the last step out."""

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        if cotangent is None:
            return super().backward(cotangent, kept, kept["p"]["V"].T @ kept["a"])
        return super().backward(cotangent, kept, y)


class FirstMissing(WithFirst):
    """Leaves out what the first step contributes to W."""

    def forward(self, state: Any, x: Any) -> Any:
        first = isinstance(state, tuple)
        after, kept = super().forward(state, x)
        return after, {**kept, "first": first}

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        delta, part = super().backward(cotangent, kept, y)
        return delta, {**part, "W": 0 * part["W"]} if kept["first"] else part


class FinishTwice(Late):
    def finish(self, cotangent: Any) -> Any:
        return {name: 2 * array for name, array in super().finish(cotangent).items()}


# Rules that are right for so many steps, by what tells one step from another.


class ResetsByState(Plain):
    """Sets the cotangent to zero every 5 steps, by a counter that the steps keep."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return 0, super().start(network, parameters, initial_state)

    def forward(self, state: Any, x: Any) -> Any:
        after, kept = super().forward(state[1], x)
        return (state[0] + 1, after), {**kept, "t": state[0]}

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        delta, part = super().backward(cotangent, kept, y)
        return (0 * delta if kept["t"] % 5 == 4 else delta), part


class ResetsByRotation(ResetsByState):
    """The same, by a tuple that is turned round at each step."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return (4, 0, 0, 0, 0), super().start(network, parameters, initial_state)[1]

    def forward(self, state: Any, x: Any) -> Any:
        turned, inner = state
        (_, after), kept = super().forward((turned[0], inner), x)
        return ((*turned[1:], turned[0]), after), kept


class Turning(Plain):
    """Turns five equal arrays round at each step; the cotangent has that of the last. It asks no questions."""

    def mark(self, initial_state: Any) -> Any:
        return 0 * initial_state

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        marks = [self.mark(initial_state) for _ in range(5)]
        return marks, super().start(network, parameters, initial_state)

    def forward(self, state: Any, x: Any) -> Any:
        marks, inner = state
        after, kept = super().forward(inner, x)
        return ([*marks[1:], marks[0]], after), {**kept, "mark": marks[0]}

    def end(self, state: Any) -> Any:
        marks, inner = state
        return 0 * inner["a"], marks[0]

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        later, mark = cotangent
        delta, part = super().backward(later, kept, y)
        return (0 * delta if self.is_marked(kept["mark"], mark) else delta, mark), part

    def is_marked(self, mark: Any, marked: Any) -> bool:
        """Return True to reset the cotangent."""
        return False


class ResetsByIdentity(Turning):
    """Resets the cotangent where a step has the same array as the last."""

    def is_marked(self, mark: Any, marked: Any) -> bool:
        return mark is marked


class ResetsByList(Turning):
    """The same, by looking for an array in a list, where Python takes one object for equal to itself."""

    def is_marked(self, mark: Any, marked: Any) -> bool:
        try:
            return mark in [marked]
        except Exception:
            return False


class ResetsByTuple(Turning):
    """The same, by comparing tuples, which does the same."""

    def is_marked(self, mark: Any, marked: Any) -> bool:
        try:
            return (mark,) == (marked,)
        except Exception:
            return False


class ResetsByStorage(Turning):
    def is_marked(self, mark: Any, marked: Any) -> bool:
        return np.shares_memory(mark, marked)


class Marks:
    """An object that is is_marked apart by which one it is."""


class ResetsByObject(Turning):
    def mark(self, initial_state: Any) -> Any:
        return Marks()

    def is_marked(self, mark: Any, marked: Any) -> bool:
        return {mark: True}.get(marked, False)


class ResetsByWriting(Turning):
    """The same, by writing into the one array, reading the other, and writing back what was there."""

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        (_, mark), own = cotangent, kept["mark"]
        old, seen = own[0], mark[0]
        own[0] = old + 1
        is_marked = mark[0] - seen
        own[0] = old
        (delta, mark), part = super().backward(cotangent, kept, y)
        return ((1 - is_marked) * delta, mark), part


class CountsInCotangent(Plain):
    """Leaves out what steps more than 400 before the end contribute."""

    def end(self, state: Any) -> Any:
        return 0, 0 * state["a"]

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        n, later = cotangent
        delta, part = super().backward(later, kept, y)
        return (n + 1, delta), part if n < 400 else {name: 0 * array for name, array in part.items()}


class CountsInSelf(Plain):
    """The same by an attribute."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        self.n = 0
        return super().start(network, parameters, initial_state)

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        self.n += 1
        delta, part = super().backward(cotangent, kept, y)
        return delta, part if self.n < 400 else {name: 0 * array for name, array in part.items()}


_BOX = {"n": 0}


class CountsInModule(Plain):
    """The same by a global dict."""

    def end(self, state: Any) -> Any:
        _BOX["n"] = 0
        return 0 * state["a"]

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        _BOX["n"] += 1
        delta, part = super().backward(cotangent, kept, y)
        return delta, part if _BOX["n"] < 400 else {name: 0 * array for name, array in part.items()}


class KeptGrows(Plain):
    """Keeps one list, to which each step adds."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return [], super().start(network, parameters, initial_state)

    def forward(self, state: Any, x: Any) -> Any:
        rows, inner = state
        after, kept = super().forward(inner, x)
        rows.append(kept)
        return (rows, after), rows

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        return super().backward(cotangent, kept.pop(), y)


class KeptIsOverwritten(Plain):
    """Keeps its state, which the next step writes over."""

    def forward(self, state: Any, x: Any) -> Any:
        before = state["a"].copy()
        state["a"][:] = np.tanh(state["p"]["W"].T @ x + state["p"]["R"].T @ before)
        return state, self.kept(state["p"], x, before, state["a"])


class WritesIntoKept(Plain):
    """Writes delta over the state that a step kept, which is the state before of the next."""

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        delta, part = super().backward(cotangent, kept, y)
        kept["before"][:] = delta
        return delta, part


class AddsUpInKept(Plain):
    """Counts the steps back in a list that all steps share."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        self.steps = [0]
        return super().start(network, parameters, initial_state)

    def kept(self, p: Any, x: Any, before: Any, a: Any) -> Any:
        return {**super().kept(p, x, before, a), "steps": self.steps}

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        kept["steps"][0] += 1
        delta, part = super().backward(cotangent, kept, y)
        return delta, part if kept["steps"][0] < 400 else {name: 0 * array for name, array in part.items()}


class Copies(Plain):
    """Goes on from a copy of what it keeps, which is right, by a generator that counts, which could be wrong."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        self.numbers = iter(range(400))
        return super().start(network, parameters, initial_state)

    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        next(self.numbers)
        return super().backward(cotangent, copy.copy(kept), y)


class Compares(Plain):
    """Cuts by the value of a cotangent."""

    def through(self, R: Any, delta: Any) -> Any:
        return R @ delta if delta[0] < 1000 else 0 * delta


RIGHT: dict[str, Any] = {each.__name__: each for each in (Plain, NoneAtEnd, InSelf, Late, WithFirst, Turning)}
"""Rules that are proved for every T."""

WRONG: dict[str, Any] = {
    each.__name__: each
    for each in (
        Transposed, Cut, Decays, WrongSlope, StateAfter, NotZeroAtEnd, LastLossMissing, FirstMissing, FinishTwice,
        ResetsByState, ResetsByRotation, ResetsByIdentity, ResetsByList, ResetsByTuple, ResetsByStorage,
        ResetsByObject, ResetsByWriting, CountsInCotangent, CountsInSelf, CountsInModule, KeptGrows,
        KeptIsOverwritten, WritesIntoKept, AddsUpInKept, Copies, Compares,
    )
}  # fmt: skip
"""Rules that must not be proved for every T: wrong ones, and ones that may be wrong at lengths not tried."""
