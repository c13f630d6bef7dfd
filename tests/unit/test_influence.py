"""Parts of parameters, found by what they do: matrices may be stored either way round, under any name."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from gradcheck.problems.influence import SHARED, driven, read_out
from gradcheck.problems.lively import branching_problems, lively_problem
from gradcheck.reference.lags import gradient
from gradcheck.reference.network import DEFAULT_NETWORK, Sizes
from gradcheck.reference.problem import forward


@dataclasses.dataclass(frozen=True)
class OutByIn:
    """The default network with (out, in) matrices, other names, and a number that all units share."""

    name = "out by in"

    def parameter_shapes(self, s: Sizes) -> Any:
        return {"read": (s.K, s.I), "loop": (s.I, s.I), "shift": (), "take": (s.I, s.D)}

    def state_shape(self, s: Sizes) -> Any:
        return (s.I,)

    def sizes_of(self, p: Any, T: int) -> Sizes:
        return Sizes(T, *p["take"].shape, p["read"].shape[0])

    def step(self, p: Any, a: Any, x: Any) -> Any:
        return np.tanh(p["take"] @ x + p["loop"] @ a + p["shift"])

    def readout(self, p: Any, a: Any) -> Any:
        return p["read"] @ a

    def output(self, u: Any) -> Any:
        return u

    def loss_value(self, u: Any, y: Any) -> Any:
        return ((u - y) ** 2).sum() / 2

    def output_error(self, u: Any, y: Any) -> Any:
        return u - y


def test_an_entry_belongs_to_the_unit_that_it_drives() -> None:
    size = Sizes(2, 3, 3, 3)  # all axes are alike
    for network, axis in ((DEFAULT_NETWORK, 1), (OutByIn(), 0)):
        owners = driven(lively_problem(network, size, 0))
        names = ("W", "R", "V") if axis else ("take", "loop", "read")
        along = np.arange(3)[None, :] if axis else np.arange(3)[:, None]
        for name in names[:2]:
            assert (owners[name] == along).all(), name
        assert (owners[names[2]] == SHARED).all(), "the readout drives no unit"
        reads = read_out(lively_problem(network, size, 0))
        assert (reads[names[2]] == along).all() and (reads[names[1]] == SHARED).all()
    assert owners["shift"] == SHARED, "it drives all of them"


@pytest.mark.parametrize("network", [DEFAULT_NETWORK, OutByIn()], ids=["in by out", "out by in"])
def test_problems_change_units_and_not_axes(network: Any) -> None:
    problems = branching_problems(network, 0)
    states, _ = forward(problems["a unit without weights"])
    assert (np.ptp(np.array(states[1:]), axis=0) > 0).tolist() == [True, False, True], "it receives nothing"
    readout = "V" if network is DEFAULT_NETWORK else "read"
    assert problems["a unit without weights"].parameters[readout].all(), "but it is read"
    found = gradient(problems["a unit that nobody reads"])
    into = found["W"].T if network is DEFAULT_NETWORK else found["take"]
    assert (into != 0).any(axis=1).tolist() == [True, False, True], "what it receives has no effect"
    states, _ = forward(problems["saturated and inactive units"])
    assert (abs(np.array(states[1:]))[:, 1:].max(axis=0) > 0.95).all()
    _, small = forward(problems["a small gradient"])
    assert np.abs(small).max() < 2.0**-18
