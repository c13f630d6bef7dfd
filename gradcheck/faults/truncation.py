"""Faults of truncation: lags lost, or kept against the claim, in horizons, windows, chunks and detach."""

from __future__ import annotations

from ..reference.claims import Claim, Exact
from .fault import Fault
from .patched import Change


def _fault(id: str, effect: str, base: str, *changes: Change, seen: str = "", claims: tuple[Claim, ...] = ()) -> Fault:
    return Fault(id, "truncation", effect, base, changes, seen, claims=claims)


def _truncated(horizon: int, seen: str = "") -> Fault:
    return _fault(
        f"truncated-at-{horizon}",
        f"Claimed exact, but each loss goes back through {horizon} step{'s' * (horizon > 1)} only; "
        f"exact where T <= {horizon}.",
        "truncated_bptt",
        Change("truncated_bptt", "tau: int)", f"tau: int = {horizon})"),
        seen=seen,
        claims=(Exact(),),
    )


FAULTS = (
    _truncated(1, "qixianbiao/RNN issue 2 (the gradient of h is not passed on to the step before)"),
    _truncated(8),
    _truncated(20),
    _fault(
        "truncated-at-t-minus-1",
        "Claimed exact, but the horizon is T-1: the lag T-1 is missing, exact where T = 1.",
        "truncated_bptt",
        Change("truncated_bptt", "tau: int)", "tau: int = 1)"),
        Change("truncated_bptt", 'tau = require_steps(tau, "tau")', "tau = max(problem.T - 1, 1)"),
        claims=(Exact(),),
    ),
    _fault(
        "one-lag-too-many",
        "Truncated at tau as it claims, plus the lag tau.",
        "truncated_bptt",
        Change("truncated_bptt", "range(1, min(tau, problem.T))", "range(1, min(tau + 1, problem.T))"),
    ),
    _fault(
        "window-off-by-one",
        "Each backward pass covers one step less than its horizon.",
        "windowed_bptt",
        Change("windowed_bptt", "max(end - horizon, 0)", "max(end - horizon + 1, 0)"),
    ),
    _fault(
        "detach-left-in",
        "Claimed exact, but the carried state is detached every 8 steps; exact where T <= 8.",
        "chunked_bptt",
        Change("chunked_bptt", "length: int)", "length: int = 8)"),
        seen="how PyTorch's word_language_model example is meant to be trained (repackage_hidden)",
        claims=(Exact(),),
    ),
    _fault(
        "detach-one-step-late",
        "The graph is cut one step after each multiple of the chunk's length.",
        "chunked_bptt",
        Change("chunked_bptt", "slice(first, first + length)", "slice(first + (first > 0), first + length + 1)"),
    ),
    _fault(
        "detach-before-the-readout",
        "The readout sees a detached state: dV is right, dW and dR are 0.",
        "bptt",
        Change("unfolding", "slope * (e @ V.T)", "slope * (0 * e @ V.T)"),
    ),
    _fault(
        "last-chunk-dropped",
        "Steps after the last whole chunk add nothing to dW and dR; right where the length divides T.",
        "chunked_bptt",
        Change("chunked_bptt", "range(0, problem.T, length)", "range(0, problem.T - length + 1, length)"),
        seen="PyTorch's word_language_model example trims what does not fill a column (batchify)",
    ),
    _fault(
        "only-the-last-chunk",
        "Gradients are set to zero at the start of each chunk: only the last one is left in dW and dR.",
        "chunked_bptt",
        Change(
            "chunked_bptt",
            "chunk = slice(first, first + length)",
            "chunk, delta = slice(first, first + length), np.zeros_like(net.d)",
        ),
        seen="tatsu-lab/alpaca_farm issue 57 (zero_grad within gradient accumulation)",
    ),
)
