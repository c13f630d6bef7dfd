"""Stochastic online rules written by hand, right and wrong, for proofs by induction that they are unbiased."""

from __future__ import annotations

from typing import Any

import numpy as np


class Plain:
    """UORO (Tallec & Ollivier 2017) with constant scalings, a dict as state, tanh' and the loss written out.

    s = diag(a') (R^T s + nu), theta = theta + nu B, of the activations a; the readout's own gradient is exact.
    """

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        thetas = {name: np.zeros_like(parameters[name]) for name in "WR"}
        return {"p": dict(parameters), "a": initial_state, "s": np.zeros_like(initial_state), "theta": thetas}

    def step(self, state: Any, x: Any, y: Any, noise: Any) -> Any:
        p, before = state["p"], state["a"]
        a = np.tanh(p["W"].T @ x + p["R"].T @ before)
        nu = self.drawn(state, noise, len(a))
        s = (1 - a * a) * (p["R"].T @ self.carried(state["s"]) + nu)
        theta = {name: self.carried(state["theta"][name]) + np.outer(u, nu) for name, u in (("W", x), ("R", before))}
        e = p["V"].T @ a - y
        along = (p["V"] @ e) @ s
        contribution = {name: along * array for name, array in theta.items()}
        return {"p": p, "a": a, "s": s, "theta": theta}, {**contribution, "V": np.outer(a, e)}

    def drawn(self, state: Any, noise: Any, units: int) -> Any:
        """Return the noise of a step, (I,)."""
        return noise.signs(units)

    def carried(self, trace: Any) -> Any:
        """Return what is left of a trace at the next step."""
        return trace


class Bernoulli(Plain):
    """The same with signs made of zeros and ones."""

    def drawn(self, state: Any, noise: Any, units: int) -> Any:
        return 2 * noise.bernoulli(0.5, units) - 1


class Delayed(Plain):
    """The same, each contribution one step late, and the last in `finish`."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return super().start(network, parameters, initial_state), None

    def step(self, state: Any, x: Any, y: Any, noise: Any) -> Any:
        inner, waiting = state
        inner, contribution = super().step(inner, x, y, noise)
        return (inner, contribution), waiting

    def finish(self, state: Any) -> Any:
        return state[1]


class Alternating(Plain):
    """The same with signs and normal noise in turn."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return {**super().start(network, parameters, initial_state), "turn": False}

    def step(self, state: Any, x: Any, y: Any, noise: Any) -> Any:
        made, contribution = super().step(state, x, y, noise)
        return {**made, "turn": not state["turn"]}, contribution

    def drawn(self, state: Any, noise: Any, units: int) -> Any:
        return noise.signs(units) if state["turn"] else noise.normal(units)


class Ahead(Plain):
    """The same with each step's signs drawn one step before."""

    def start(self, network: Any, parameters: Any, initial_state: Any, noise: Any) -> Any:
        return {**super().start(network, parameters, initial_state), "nu": noise.signs(len(initial_state))}

    def step(self, state: Any, x: Any, y: Any, noise: Any) -> Any:
        made, contribution = super().step(state, x, y, noise)
        return {**made, "nu": noise.signs(len(made["a"]))}, contribution

    def drawn(self, state: Any, noise: Any, units: int) -> Any:
        return state["nu"]


RIGHT: dict[str, Any] = {each.__name__: each for each in (Plain, Bernoulli, Delayed, Alternating, Ahead)}
"""Rules that are unbiased for every T, and proved to be."""


class Kept(Ahead):
    """Draws at the start and keeps what it drew."""

    def step(self, state: Any, x: Any, y: Any, noise: Any) -> Any:
        made, contribution = super().step(state, x, y, noise)
        return {**made, "nu": state["nu"]}, contribution


class KeptEverySecond(Alternating):
    """Draws at every second step, and keeps what it drew for the next."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return {**super().start(network, parameters, initial_state), "nu": np.zeros_like(initial_state)}

    def step(self, state: Any, x: Any, y: Any, noise: Any) -> Any:
        nu = state["nu"] if state["turn"] else noise.signs(len(state["a"]))
        made, contribution = super().step({**state, "nu": nu}, x, y, noise)
        return {**made, "nu": nu}, contribution

    def drawn(self, state: Any, noise: Any, units: int) -> Any:
        return state["nu"]


class Decaying(Plain):
    """Loses 1 % of both traces at each step."""

    def carried(self, trace: Any) -> Any:
        return trace * 0.99


class SharedSign(Plain):
    """Has one sign for all units."""

    def drawn(self, state: Any, noise: Any, units: int) -> Any:
        return noise.signs() + np.zeros_like(state["a"])


class OfAThird(Plain):
    """Draws from [-1, 1]."""

    def drawn(self, state: Any, noise: Any, units: int) -> Any:
        return 2 * noise.uniform(units) - 1


class OfMeanOneHalf(Plain):
    """Draws +1 three times out of four."""

    def drawn(self, state: Any, noise: Any, units: int) -> Any:
        return 2 * noise.bernoulli(0.75, units) - 1


class StartsAtOne(Plain):
    """Starts from traces of 1."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        state = super().start(network, parameters, initial_state)
        return {**state, "s": state["s"] + 1, "theta": {name: array + 1 for name, array in state["theta"].items()}}


class Late(Delayed):
    """Loses the contribution of the last step."""

    def finish(self, state: Any) -> Any:
        return None if state[1] is None else {name: 0 * array for name, array in state[1].items()}


class Squaring(Plain):
    """Squares a trace."""

    def carried(self, trace: Any) -> Any:
        return trace + trace * trace


class CountsInState(Plain):
    """Contributes nothing from step 400 on, by a counter in its state."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return {**super().start(network, parameters, initial_state), "t": 0}

    def step(self, state: Any, x: Any, y: Any, noise: Any) -> Any:
        made, contribution = super().step(state, x, y, noise)
        return {**made, "t": state["t"] + 1}, contribution if state["t"] < 400 else None


class CountsInNumber(Plain):
    """Has a counter among its numbers."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return {**super().start(network, parameters, initial_state), "t": 0 * initial_state}

    def step(self, state: Any, x: Any, y: Any, noise: Any) -> Any:
        made, contribution = super().step(state, x, y, noise)
        return {**made, "t": state["t"] + 1}, contribution


class CountsInSelf(Plain):
    """Has a counter in an attribute."""

    t = 0

    def step(self, state: Any, x: Any, y: Any, noise: Any) -> Any:
        self.t += 1
        return super().step(state, x, y, noise)


_BOX = {"t": 0}


class CountsInModule(Plain):
    """Has a counter in its module."""

    def step(self, state: Any, x: Any, y: Any, noise: Any) -> Any:
        _BOX["t"] += 1
        return super().step(state, x, y, noise)


class CountsInNoise(Plain):
    """Attaches a counter to its noise."""

    def drawn(self, state: Any, noise: Any, units: int) -> Any:
        try:
            noise.ticks += 1
        except AttributeError:
            noise.ticks = 1
        return noise.signs(units)


class CountsInKindOfNoise(Plain):
    """Attaches a counter to the class of its noise."""

    def drawn(self, state: Any, noise: Any, units: int) -> Any:
        try:
            type(noise).ticks += 1
        except AttributeError:
            type(noise).ticks = 1  # type: ignore[attr-defined]
        return noise.signs(units)


class ReadsEarlierDraws(Plain):
    """Counts what was drawn before."""

    def drawn(self, state: Any, noise: Any, units: int) -> Any:
        try:
            seen = len(noise.drawn)
        except AttributeError:
            seen = 0
        return noise.signs(units) if seen < 400 else np.zeros_like(state["a"])


class KeepsNoise(Plain):
    """Draws from the noise of an earlier step."""

    def start(self, network: Any, parameters: Any, initial_state: Any, noise: Any) -> Any:
        return {**super().start(network, parameters, initial_state), "noise": noise}

    def step(self, state: Any, x: Any, y: Any, noise: Any) -> Any:
        made, contribution = super().step(state, x, y, state["noise"])
        return {**made, "noise": noise}, contribution


class KeepsDraw(KeepsNoise):
    """Keeps the function that draws."""

    def start(self, network: Any, parameters: Any, initial_state: Any, noise: Any) -> Any:
        return {**Plain.start(self, network, parameters, initial_state), "noise": noise.signs}

    def step(self, state: Any, x: Any, y: Any, noise: Any) -> Any:
        made, contribution = Plain.step(self, state, x, y, noise)
        return {**made, "noise": noise.signs}, contribution


class Compares(Plain):
    """Does nothing at a sign of -1."""

    def step(self, state: Any, x: Any, y: Any, noise: Any) -> Any:
        made, contribution = super().step(state, x, y, noise)
        return made, contribution if noise.signs() > 0 else None


class Divides(Plain):
    """Divides by a trace."""

    def carried(self, trace: Any) -> Any:
        return trace / (1 + trace * trace)


WRONG: dict[str, Any] = {
    each.__name__: each
    for each in (
        Kept, KeptEverySecond, Decaying, SharedSign, OfAThird, OfMeanOneHalf, StartsAtOne, Late, Squaring,
        CountsInState, CountsInNumber, CountsInSelf, CountsInModule, CountsInNoise, CountsInKindOfNoise,
        ReadsEarlierDraws, KeepsNoise, KeepsDraw, Compares, Divides,
    )
}  # fmt: skip
"""Rules that are biased at some length, or could be for all that their steps show."""
