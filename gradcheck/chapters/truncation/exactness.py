"""Exactness of truncation at tau >= T.

The gradient is the sum over t = 1..T and k = 0..t-1 of g(t, k). Truncation at tau keeps k < tau. As
k <= t - 1 <= T - 1 < tau where tau >= T, it keeps every term: the error is the empty sum, for every network,
length and size. What that argument takes for granted, that the lag terms sum to the gradient, is proved
here as an identity of polynomials: SymPy differentiates the unrolled loss once in the parameters (no lags
anywhere), and once in each step's own copy of them (the lags); the two are carried into one polynomial ring and
compared there, f, g and L undefined. At tau = T - 1 the difference is g(T, T-1), which is not the zero polynomial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ...algorithms.truncated_bptt import truncated_bptt
from ...evidence.exact import formal
from ...records import Statement, Strength
from ...reference import symbolic
from ...reference.claims import LagClaim, Truncated
from ...reference.network import Network, Sizes
from ..verdicts import judged

SHAPES = ((1, 1, 1), (2, 1, 1), (1, 2, 2))
"""(I, D, K) of the proofs."""
LARGEST_T = 4


@dataclass(frozen=True)
class Identities:
    """Number of entries compared as polynomials, and the places where the claim failed."""

    compared: int
    failures: tuple[str, ...]

    @property
    def hold(self) -> bool:
        return self.compared > 0 and not self.failures


def keeps_every_lag(claim: LagClaim, T: int) -> bool:
    """Return True where the claim keeps each (t, k) of a sequence of T steps."""
    return all(claim.keeps(t, k, T) for t in range(1, T + 1) for k in range(t))


def complete(
    claim_at: Callable[[int], LagClaim] = Truncated,
    *,
    rule: Callable[..., Any] = truncated_bptt,
    shapes: Iterable[tuple[int, int, int]] = SHAPES,
    largest_T: int = LARGEST_T,
) -> Identities:
    """Compare what `claim_at(tau)` keeps, and what `rule` returns, with SymPy's gradient at tau = T and T + 1.

    At tau = T - 1 they must differ from it.
    """
    network, compared, failures = Network().undefined(), 0, []
    for units, inputs, outputs in shapes:
        ref = formal.reference(network, Sizes(largest_T, units, inputs, outputs), True)
        lower = symbolic.Lowering(ref.field)
        for T in range(1, largest_T + 1):
            sizes = Sizes(T, units, inputs, outputs)
            whole = [
                lower(entry)
                for array in symbolic.gradient(network, sizes, weighted=True).values()
                for entry in array.reshape(-1)
            ]
            for tau in range(max(1, T - 1), T + 2):
                kept = [v for array in ref.gradient(T, claim_at(tau)).values() for v in array.reshape(-1)]
                returned = [v for a in rule(ref.problem(T), tau=tau).values() for v in ref.field.natives(a)]
                compared += len(whole)
                for what, values in (("lags kept", kept), ("rule", returned)):
                    if (values == whole) != (tau >= T):
                        failures.append(f"{sizes}, tau={tau}: the {what}")
    return Identities(compared, tuple(failures))


def statements() -> list[Statement]:
    """Return the row of the chapter."""
    proof = complete()
    lengths = range(1, 65)
    all_kept = all(keeps_every_lag(Truncated(tau), T) for T in lengths for tau in (T, T + 1, 2 * T))
    last_lost = not any(keeps_every_lag(Truncated(T - 1), T) for T in lengths if T > 1)
    verdict = judged(
        "the error is zero at every horizon tau >= T",
        proof.hold and all_kept and last_lost,
        "Every lag is below $T$, so nothing is dropped; and the lag terms do sum to the gradient, as polynomials, for "
        "all values of parameters, inputs, targets, loss weights and initial state, every differentiable activation, "
        "every output and every loss. At $\\tau = T - 1$ the polynomials differ by the longest lag.",
        kind="formal",
        strength=Strength.PROVED,
        scope=f"the identity at T <= {LARGEST_T} and (I, D, K) = {', '.join(map(str, SHAPES))}; which lags are kept, "
        "for every T by the argument in `gradcheck/chapters/truncation/exactness.py`",
        blind="whether some other code keeps the lags that it says it keeps: that is what an audit is for",
        identities=proof.compared,
    )
    return [
        Statement(
            "truncation-complete", "Where truncation is exact", "A horizon as long as the sequence",
            r"\mathrm{error}(\tau) = \sum_{t=1}^{T} \sum_{\tau \le k < t} g(t,k) = 0 \quad (\tau \ge T)", verdict,
            comment="Proved, not sampled: a test on random numbers would pass a rule that drops a lag too small to "
            "see.",
        )
    ]  # fmt: skip
