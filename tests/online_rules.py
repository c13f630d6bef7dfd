"""Online rules written by hand, right and wrong, for proofs by induction over the steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import rand as _draw

from gradcheck.reference.network import Network

TANH = Network("tanh", "identity", "squared_error")


class Plain:
    """RTRL in another style: a dict as state, the influence of a, transposed, as one array for each parameter.

    dW[d, j, i] = da_i/dW_dj, dR[m, j, i] = da_i/dR_mj, with tanh' = 1 - a^2 and the squared error written out.
    """

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        n, D = len(initial_state), len(parameters["W"])
        return {
            "p": dict(parameters),
            "a": initial_state,
            "dW": np.zeros((D, n, n)),
            "dR": np.zeros((n, n, n)),
        }

    def step(self, state: Any, x: Any, y: Any) -> Any:
        p, before = state["p"], state["a"]
        n = len(before)
        a = self.activity(p, before, x)
        slope = 1 - a * a
        dW, dR = self.carried(state["dW"], p["R"]), self.carried(state["dR"], p["R"])
        own = np.zeros_like(a, shape=(n, n)) + np.eye(n)
        dW = (dW + x[:, None, None] * own) * slope
        dR = (dR + before[:, None, None] * own) * slope
        e = p["V"].T @ a - y
        back = p["V"] @ e
        made = {"p": p, "a": a, "dW": dW, "dR": dR}
        return made, {"W": dW @ back, "R": dR @ back, "V": np.outer(a, e)}

    def activity(self, p: Any, before: Any, x: Any) -> Any:
        """Return the state after the step."""
        return np.tanh(p["W"].T @ x + p["R"].T @ before)

    def carried(self, influence: Any, R: Any) -> Any:
        """Return the influence on the pre-activations through the state before."""
        return influence @ R


class Delayed(Plain):
    """RTRL that contributes one step late, and the last step's in `finish`."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return super().start(network, parameters, initial_state), None

    def step(self, state: Any, x: Any, y: Any) -> Any:
        inner, waiting = state
        inner, contribution = super().step(inner, x, y)
        return (inner, contribution), waiting

    def finish(self, state: Any) -> Any:
        return state[1]


class Stored(Plain):
    """RTRL that keeps its state in attributes, in place."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        self.kept = super().start(network, parameters, initial_state)

    def step(self, state: Any, x: Any, y: Any) -> Any:
        self.kept, contribution = super().step(self.kept, x, y)
        return None, contribution


class Alternating(Plain):
    """RTRL with a number that alternates, by which it does the same in two ways."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return [0, super().start(network, parameters, initial_state)]

    def step(self, state: Any, x: Any, y: Any) -> Any:
        inner, contribution = super().step(state[1], x, y)
        if state[0]:
            contribution = {name: 2 * array / 2 for name, array in contribution.items()}
        return [1 - state[0], inner], contribution


def _squashed(s: Any) -> Any:
    return np.tanh(s)


class Configured(Plain):
    """RTRL with a function as an attribute, which it gets by its name."""

    def __init__(self) -> None:
        self.squash = _squashed

    def activity(self, p: Any, before: Any, x: Any) -> Any:
        return getattr(self, "squash", None)(p["W"].T @ x + p["R"].T @ before)


RIGHT: dict[str, Any] = {each.__name__: each for each in (Plain, Delayed, Stored, Alternating, Configured)}
"""Rules that are proved for every T."""


def _carrying(change: Callable[[Any, Any], Any], name: str) -> Any:
    return type(name, (Plain,), {"carried": lambda self, influence, R: change(influence, R)})


class CountsInState(Plain):
    """Leaves the recurrence out from step 400 on, by a counter in its state."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return 0, super().start(network, parameters, initial_state)

    def step(self, state: Any, x: Any, y: Any) -> Any:
        t, inner = state
        inner, contribution = super().step(inner, x, y)
        if t >= 400:
            contribution = {name: 0 * array for name, array in contribution.items()}
        return (t + 1, inner), contribution


class CountsInSelf(Plain):
    """The same by an attribute."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        self.t = 0
        return super().start(network, parameters, initial_state)

    def step(self, state: Any, x: Any, y: Any) -> Any:
        self.t += 1
        state, contribution = super().step(state, x, y)
        return state, contribution if self.t < 400 else {name: 0 * array for name, array in contribution.items()}


_BOX = {"t": 0}


class CountsInModule(Plain):
    """The same by a global dict."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        _BOX["t"] = 0
        return super().start(network, parameters, initial_state)

    def step(self, state: Any, x: Any, y: Any) -> Any:
        _BOX["t"] += 1
        state, contribution = super().step(state, x, y)
        return state, contribution if _BOX["t"] < 400 else {name: 0 * array for name, array in contribution.items()}


class CountsInClass(Plain):
    """The same by an attribute of its class."""

    t = 0

    def step(self, state: Any, x: Any, y: Any) -> Any:
        type(self).t += 1
        return super().step(state, x, y)


class CountsInDefault(Plain):
    """The same by a default argument."""

    def step(self, state: Any, x: Any, y: Any, seen: Any = []) -> Any:  # noqa: B006
        seen.append(1)
        if len(seen) > 4000:
            seen.clear()
        return super().step(state, x, y)


class CountsInList(Plain):
    """Keeps every input, though it does not use them."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return [], super().start(network, parameters, initial_state)

    def step(self, state: Any, x: Any, y: Any) -> Any:
        inner, contribution = super().step(state[1], x, y)
        return ([*state[0], x], inner), contribution


def _ticks() -> Any:
    while True:
        yield from range(400)


class CountsInGenerator(Plain):
    """Keeps a generator in its state."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return _ticks(), super().start(network, parameters, initial_state)

    def step(self, state: Any, x: Any, y: Any) -> Any:
        next(state[0])
        inner, contribution = super().step(state[1], x, y)
        return (state[0], inner), contribution


class _Object:
    seen = 0

    def tick(self) -> None:
        _Object.seen += 1


class CountsInObject(Plain):
    """Keeps an object whose class counts."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return _Object(), super().start(network, parameters, initial_state)

    def step(self, state: Any, x: Any, y: Any) -> Any:
        state[0].tick()
        inner, contribution = super().step(state[1], x, y)
        return (state[0], inner), contribution


class CountsInNumPy(Plain):
    """Attaches a counter to a function of NumPy."""

    def step(self, state: Any, x: Any, y: Any) -> Any:
        function = np.fft.fft
        try:
            function.ticks += 1  # type: ignore[attr-defined]
        except AttributeError:
            function.ticks = 0  # type: ignore[attr-defined]
        return super().step(state, x, y)


_LOG: list[int] = []
_note = _LOG.append


_ticking = {"t": 0}


def _tick() -> int:
    _ticking["t"] += 1
    return _ticking["t"]


class CountsInFunction(Plain):
    """Keeps a function in an attribute, which counts in a global."""

    def __init__(self) -> None:
        self.tick = _tick

    def step(self, state: Any, x: Any, y: Any) -> Any:
        self.tick()
        return super().step(state, x, y)


class GetsByName(Plain):
    """Gets an attribute by a name that is made up."""

    def step(self, state: Any, x: Any, y: Any) -> Any:
        kept = getattr(Plain.step, "__glo" + "".join(["bals__"]))["_ticking"]
        kept["t"] += 1
        return super().step(state, x, y)


class GetsGlobals(Plain):
    """Gets the globals by their name."""

    def step(self, state: Any, x: Any, y: Any) -> Any:
        getattr(Plain.step, "__globals__", None)["_ticking"]["t"] += 1
        return super().step(state, x, y)


class CountsByMethod(Plain):
    """Counts by a method of a global list, taken as a function."""

    def step(self, state: Any, x: Any, y: Any) -> Any:
        _note(1)
        return super().step(state, x, y)


class CountsInScalars(Plain):
    """Attaches a counter to the class of its numbers."""

    def step(self, state: Any, x: Any, y: Any) -> Any:
        kind = type(x[0])
        try:
            kind.ticks += 1
        except AttributeError:
            kind.ticks = 0
        return super().step(state, x, y)


class Draws(Plain):
    """Draws a number that it does not use."""

    def step(self, state: Any, x: Any, y: Any) -> Any:
        _draw()
        return super().step(state, x, y)


class CountsInFinish(Delayed):
    """Is right only after `finish` was called before."""

    def step(self, state: Any, x: Any, y: Any) -> Any:
        (inner, _), contribution = super().step(state, x, y)
        return (inner, _), contribution if _BOX["t"] else None

    def finish(self, state: Any) -> Any:
        _BOX["t"] += 1
        return super().finish(state)


class CountsByAttribute(Plain):
    """Attaches a counter to an array of its state."""

    def step(self, state: Any, x: Any, y: Any) -> Any:
        try:
            seen = state["a"].seen
        except AttributeError:
            seen = 0
        state, contribution = super().step(state, x, y)
        if type(state["a"]) is not np.ndarray:
            state["a"].seen = seen + 1
        return state, contribution


class CountsInClosure(Plain):
    """Counts in a closure that its state holds."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        t = 0

        def tick() -> int:
            nonlocal t
            t += 1
            return t

        return tick, super().start(network, parameters, initial_state)

    def step(self, state: Any, x: Any, y: Any) -> Any:
        state[0]()
        inner, contribution = super().step(state[1], x, y)
        return (state[0], inner), contribution


class Saturates(Plain):
    """Compares a number of its state with a limit."""

    def step(self, state: Any, x: Any, y: Any) -> Any:
        state, contribution = super().step(state, x, y)
        if state["dW"].reshape(-1)[0] > 1000:
            state["dW"] = 0 * state["dW"]
        return state, contribution


class Wiped(Plain):
    """Wipes the influence every eighth step, by a counter that wraps around."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return 0, super().start(network, parameters, initial_state)

    def step(self, state: Any, x: Any, y: Any) -> Any:
        t, inner = state
        inner, contribution = super().step(inner, x, y)
        if t == 4:
            inner = {**inner, "dW": 0 * inner["dW"]}
        return ((t + 1) % 5, inner), contribution


class WrongLoss(Plain):
    """Forgets the target."""

    def step(self, state: Any, x: Any, y: Any) -> Any:
        return super().step(state, x, 0 * y)


class DropsTail(Delayed):
    """Forgets the last step's contribution."""

    def finish(self, state: Any) -> Any:
        return None


class Rotates(Plain):
    """Scales its contributions by a row of numbers that are 1 but for the last, and turns the row at each step."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        row = np.zeros_like(initial_state, shape=(40,))
        row[:-1] = row[:-1] + 1
        return row, super().start(network, parameters, initial_state)

    def step(self, state: Any, x: Any, y: Any) -> Any:
        row, inner = state
        inner, contribution = super().step(inner, x, y)
        contribution = {name: row[0] * array for name, array in contribution.items()}
        return (np.concatenate([row[1:], row[:1]]), inner), contribution


class RotatesFloats(Rotates):
    """The same on floats."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return np.array([1.0] * 39 + [0.0]), Plain.start(self, network, parameters, initial_state)


class Powers(Plain):
    """Scales its contributions by a number that is 1 at first and falls by 1e-9 a step."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return 1 + 0 * initial_state[0], super().start(network, parameters, initial_state)

    def step(self, state: Any, x: Any, y: Any) -> Any:
        scale, inner = state
        inner, contribution = super().step(inner, x, y)
        return (scale - 1e-9, inner), {name: scale * array for name, array in contribution.items()}


class Quotient(Plain):
    """Divides by a number of its state and multiplies by it again, which fails where that is 0."""

    def activity(self, p: Any, before: Any, x: Any) -> Any:
        return np.tanh((p["W"].T @ x + p["R"].T @ before) / before[0] * before[0])


class Shared(Plain):
    """Writes into an array of its state through a view that it keeps beside it."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        inner = super().start(network, parameters, initial_state)
        inner["dW"] = np.zeros_like(initial_state, shape=inner["dW"].shape)
        return inner["dW"].reshape(-1), inner

    def step(self, state: Any, x: Any, y: Any) -> Any:
        state[1]["dW"] = state[0].reshape(state[1]["dW"].shape)
        inner, contribution = super().step(state[1], x, y)
        state[0][...] = inner["dW"].reshape(-1)
        inner["dW"] = state[0].reshape(inner["dW"].shape)
        return (state[0], inner), contribution


WRONG: dict[str, Any] = {
    "decay of 1 %": _carrying(lambda influence, R: 0.99 * (influence @ R), "Decays"),
    "R the wrong way": _carrying(lambda influence, R: influence @ R.T, "Turned"),
    "no recurrence": _carrying(lambda influence, R: 0 * (influence @ R), "Forgets"),
    "diagonal alone": _carrying(lambda influence, R: influence * np.diag(R), "Diagonal"),
    "wrong sign": _carrying(lambda influence, R: -(influence @ R), "Negative"),
    **{
        each.__name__: each
        for each in (
            CountsInState, CountsInSelf, CountsInModule, CountsInClass, CountsInDefault, CountsInList,
            CountsInGenerator, CountsInObject, CountsInNumPy, CountsInFunction, GetsByName, GetsGlobals,
            CountsByMethod, CountsInScalars, Draws, CountsInFinish, CountsByAttribute, CountsInClosure, Saturates,
            Wiped, WrongLoss, DropsTail, Rotates, RotatesFloats, Powers, Quotient,
        )
    },
}  # fmt: skip
"""Rules that must not be proved for every T: wrong ones, and ones that may be wrong at lengths not tried."""
