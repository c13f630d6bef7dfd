"""Faults of f': at the wrong time, of the wrong argument, left out, or of another function."""

from __future__ import annotations

from .fault import Fault
from .patched import Change

_SLOPE = "slope = net.activation.derivative(s)"


def _fault(
    id: str,
    effect: str,
    change: Change,
    base: str = "bptt",
    *,
    seen: str = "",
    values: bool = False,
) -> Fault:
    return Fault(id, "activation derivative", effect, base, (change,), seen, values=values)


FAULTS = (
    _fault(
        "slope-late-in-recursion",
        "The recursion multiplies by f'(s(t+1)) where f'(s(t)) belongs.",
        Change("bptt", "slope[t] * (R @", "slope[t + 1] * (R @"),
    ),
    _fault(
        "slope-late-in-influence",
        "The influence is multiplied by f'(s(t)) where f'(s(t-1)) belongs.",
        Change("rtrl", "M = (R.T * slope) @ M", "M = (R.T * net.activation.derivative(W.T @ x + R.T @ a)) @ M"),
        "rtrl",
    ),
    _fault(
        "slope-of-the-activation",
        "f'(a(t)) for f'(s(t)): the derivative of something that f was already applied to.",
        Change("unfolding", _SLOPE, "slope = net.activation.derivative(a[1:])"),
        seen="the source lecture prints g' of a_i, not of the output's own argument; judged in `gradcheck report`",
    ),
    _fault(
        "slope-from-s",
        "1 - s^2 for 1 - a^2.",
        Change("unfolding", _SLOPE, "slope = 1 - s**2"),
    ),
    _fault(
        "slope-missing",
        "f' is taken to be 1 everywhere: the gradient of a network that is linear going backwards.",
        Change("unfolding", _SLOPE, "slope = np.ones_like(s)"),
    ),
    _fault(
        "slope-missing-in-recursion",
        "R delta(t+1) is added without f'(s(t)); a loss counts rightly at its own step.",
        Change("bptt", "slope[t] * (R @ delta[t + 1])", "R @ delta[t + 1]"),
    ),
    _fault(
        "slope-missing-in-error",
        "V e(t) enters without f'(s(t)); what comes from later steps has it.",
        Change("unfolding", "slope * (e @ V.T)", "e @ V.T"),
    ),
    _fault(
        "slope-zero-when-saturated",
        "f' is 0 beyond |s| = 2, as for a hard tanh; right while no unit saturates.",
        Change("unfolding", _SLOPE, "slope = np.where(abs(s) > 2, np.zeros_like(s), net.activation.derivative(s))"),
        values=True,
    ),
)  # fmt: skip
