"""Faults of influences carried forward: their start, their terms, their use, and the boundaries of blocks."""

from __future__ import annotations

from .fault import Fault
from .patched import Change

_TRACE = "alpha = w * alpha + c\n"


def _fault(
    id: str, effect: str, base: str, old: str, new: str, *, category: str = "influence", values: bool = False
) -> Fault:
    return Fault(id, category, effect, base, (Change(base, old, new),), values=values)


FAULTS = (
    _fault(
        "influence-started-at-1",
        "Q(0) = 1 in every entry, as if the initial state depended on the weights.",
        "schmidhuber",
        "Q = np.zeros_like(", "Q = np.ones_like(",
    ),
    _fault(
        "influence-reset-at-blocks",
        "Each block starts from its own influence alone: what came before the last block is lost.",
        "schmidhuber",
        " + (Delta[0] @ R.T) @ state.Q  # type", " + 0 * state.Q  # type",
    ),
    _fault(
        "influence-never-carried",
        "The influence is reset at every step: lag 0 only.",
        "rtrl",
        "M = (R.T * slope) @ M", "M = 0 * M",
    ),
    _fault(
        "new-state-in-immediate-term",
        "The immediate term takes a(t) where the step read a(t-1).",
        "rtrl",
        "u = np.concatenate([x, a])", "u = np.concatenate([x, net.activation(W.T @ x + R.T @ a)])",
    ),
    _fault(
        "influence-one-step-late",
        "The error at t meets the influence of t-1: it is used before the step is applied to it.",
        "rtrl",
        "(d @ M)", "(d @ state.M)",
    ),
    _fault(
        "trace-from-the-new-state",
        "The trace of w takes c(t) where the step read c(t-1).",
        "focused",
        _TRACE, "alpha = w * alpha + w * c + net.activation(s)\n",
    ),
    _fault(
        "trace-started-at-the-state",
        "alpha(0) is the initial state where it should be 0.",
        "focused",
        "alpha, beta = np.zeros_like(initial_state),", "alpha, beta = initial_state,",
    ),
    _fault(
        "boundary-error-late",
        "Earlier blocks get the error of a block's second step where that of its first belongs.",
        "schmidhuber",
        "(R @ delta[0]) @ state.Q", "(R @ delta[min(1, len(delta) - 1)]) @ state.Q",
        category="blocks",
    ),
    _fault(
        "block-stops-one-step-short",
        "The units' errors do not reach the first step of a block, so its influence misses that step and all before.",
        "schmidhuber",
        "for t in reversed(range(B - 1)):", "for t in reversed(range(1, B - 1)):",
        category="blocks",
    ),
    _fault(
        "boundary-step-in-two-blocks",
        "The last step of a block is the first of the next too: it counts twice.",
        "schmidhuber",
        "Q=_influence(state), block=())", "Q=_influence(state), block=state.block[-1:])",
        category="blocks",
    ),
)  # fmt: skip
