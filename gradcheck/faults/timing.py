"""Faults of time: states and steps that are one off, or left out."""

from __future__ import annotations

from .fault import Fault
from .patched import Change

_RETURN = "    return delta\n"


def _fault(id: str, effect: str, *changes: Change, seen: str = "") -> Fault:
    return Fault(id, "time index", effect, "bptt", changes, seen)


FAULTS = (
    _fault(
        "new-state-in-dr",
        "dR pairs delta(t) with a(t), the state that the step wrote, where a(t-1) is the one that it read.",
        Change("unfolding", "self.a[:-1].T @ delta", "self.a[1:].T @ delta"),
        seen="VikParuchuri/zero_to_gpt issue 9; the source lecture's summary, judged in `gradcheck report`",
    ),
    _fault(
        "recursion-starts-early",
        "delta starts at T-1: what the loss at T owes to earlier steps is lost.",
        Change("bptt", "range(len(d) - 1)", "range(len(d) - 2)"),
        seen="deeplearning4j/deeplearning4j issue 8838 (the error of the last cell state left out)",
    ),
    _fault(
        "recursion-stops-early",
        "delta(1) gets nothing from later losses: the recursion stops at step 2.",
        Change("bptt", "range(len(d) - 1)", "range(1, len(d) - 1)"),
    ),
    _fault(
        "first-step-dropped",
        "The parameters' use at step 1 counts for nothing in dW and dR.",
        Change("bptt", _RETURN, "    delta[0] = 0 * delta[0]\n" + _RETURN),
    ),
    _fault(
        "last-step-dropped",
        "The parameters' use at step T counts for nothing in dW and dR.",
        Change("bptt", _RETURN, "    delta[-1] = 0 * delta[-1]\n" + _RETURN),
    ),
    _fault(
        "time-reversed",
        "dW pairs delta(t) with the input of step T+1-t: the sequence was reversed for the backward pass, x twice.",
        Change("unfolding", "self.x.T @ delta", "self.x[::-1].T @ delta"),
    ),
    _fault(
        "initial-state-ignored",
        "The sequence is run from a zero state, whatever the initial state is.",
        Change("unfolding", "a[0] = problem.initial_state", "a[0] = 0 * problem.initial_state"),
    ),
    _fault(
        "initial-state-missing-in-dr",
        "dR lacks the product of a(0) with delta(1); right from a zero state.",
        Change("unfolding", "return Unfolded(x, a, slope", "a[0] = 0 * a[0]\n    return Unfolded(x, a, slope"),
    ),
)  # fmt: skip
