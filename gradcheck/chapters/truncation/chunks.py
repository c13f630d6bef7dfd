"""Chunked truncation: not monotone in the length of chunks, monotone along divisors.

Chunks of C steps keep, of the loss at t, the lags k <= (t-1) mod C.

Not monotone in C, whatever the signs: with T = 4 and the loss at 4 alone, C = 3 cuts just before step 4 and keeps lag
0, while C = 2 keeps lags 0 and 1. So where every lag contribution is positive, where windowed truncation is strictly
monotone (`signs`), chunks of 3 are strictly worse than chunks of 2.
Monotone along divisors: if C divides C', then t-1 = q C' + m with m = (t-1) mod C', and (t-1) mod C = m mod C <= m: the
lags kept at C are among those kept at C'. Where contributions share a sign, the error is then no larger at C'.
The tail: where C does not divide T, the last chunk has T mod C steps. The rule must still take it.
BPTT(h; h) is not `Chunked(h)` there: its pass at the end of the sequence goes back h steps, past the last cut. At t = T
it keeps k < h, chunks keep k <= (T-1) mod h, which is less than h - 1 unless h divides T. Where h >= T both keep all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...algorithms.chunked_bptt import chunked_bptt
from ...evidence.exact import formal
from ...records import Statement, Strength
from ...reference.claims import Chunked, LagClaim, Windowed
from ...reference.network import Network, Sizes
from ...reference.problem import Problem
from ..verdicts import judged, number
from .monotony import chunked, show, smallest
from .programs import counterexample, error_program
from .signs import share_a_sign
from .tails import BALL, RATIONAL, dropped, squared_norm

LONGEST = 48
KEPT = "k <= (t - 1) % {}"


def positive_problem(activation: str = "identity", T: int = 4) -> Problem:
    """Return a scalar network with positive numbers throughout and the loss at T alone."""
    one = np.ones((1, 1))
    weights = np.array([0.0] * (T - 1) + [1.0])
    return Problem(
        {"W": one, "R": one, "V": one}, np.ones((T, 1)), np.zeros((T, 1)), None, weights, Network(activation)
    )


def chunk_errors(problem: Problem, field: Any) -> list[Any]:
    """Return ||error||^2 of chunks of C = 1..T steps, W, R and V; the caller enters `field.working()`."""
    lifted = problem.over(field)
    return [squared_norm(field, dropped(lifted, Chunked(C))) for C in range(1, problem.T + 1)]


def kept(claim: LagClaim, T: int) -> frozenset[tuple[int, int]]:
    """Return the (t, k) that the claim keeps of a sequence of T steps."""
    return frozenset((t, k) for t in range(1, T + 1) for k in range(t) if claim.keeps(t, k, T))


def nested_along_divisors(
    claim_at: Callable[[int], LagClaim] = Chunked, *, divides: Callable[[int, int], bool] = lambda a, b: b % a == 0
) -> bool:
    """Return True where the lags kept at C are among those kept at C' if C divides C', for C' <= T <= `LONGEST`."""
    lengths = (12, 13, LONGEST)
    for T in lengths:
        sets = {C: kept(claim_at(C), T) for C in range(1, T + 1)}
        if not all(sets[a] <= sets[b] for a in sets for b in sets if divides(a, b)):
            return False
    return True


def windowed_is_chunked(
    condition: Callable[[int, int], bool] = lambda h, T: T % h == 0 or h >= T, longest: int = 24
) -> bool:
    """Return True where BPTT(h; h) keeps the lags of `Chunked(h)` exactly if `condition(h, T)`, h and T <= longest."""
    return all(
        (kept(Windowed(h, h), T) == kept(Chunked(h), T)) == condition(h, T)
        for T in range(1, longest + 1)
        for h in range(1, longest + 2)
    )


def tail_identities(rule: Callable[..., Any] = chunked_bptt) -> tuple[int, int]:
    """Return (equal, all) formal comparisons of `rule` with the chunked target, C not dividing T <= 4."""
    ref = formal.reference(Network().undefined(), Sizes(4, 2, 1, 1), True)
    equal = total = 0
    for T in range(3, 5):
        for C in (c for c in range(2, T) if T % c):
            wanted = [v for a in ref.gradient(T, Chunked(C)).values() for v in a.reshape(-1)]
            found = [v for a in rule(ref.problem(T), length=C).values() for v in ref.field.natives(a)]
            total += 1
            equal += wanted == found
    return equal, total


def windows_differ_formally() -> bool:
    """Return True where BPTT(2; 2) and chunks of 2 differ as polynomials at T = 3 and agree at T = 4."""
    ref = formal.reference(Network().undefined(), Sizes(4, 2, 1, 1), True)
    same = {T: _flat(ref.gradient(T, Windowed(2, 2))) == _flat(ref.gradient(T, Chunked(2))) for T in (3, 4)}
    return same == {3: False, 4: True}


def _flat(gradient: dict[str, Any]) -> list[Any]:
    return [v for array in gradient.values() for v in array.reshape(-1)]


def statements() -> list[Statement]:
    """Return the rows of the chapter."""
    return [_monotone(), _tail(), _windows()]


def _monotone() -> Statement:
    problem = positive_problem()
    exact = chunk_errors(problem, RATIONAL)
    tanh = positive_problem("tanh")
    with BALL.working():
        balls = chunk_errors(tanh, BALL)
        signed = share_a_sign(tanh.over(BALL), BALL)
        certified = bool(balls[2] > balls[1])
    least = smallest(3, (1, 2, 3), chunked)
    grows = bool(exact[2] > exact[1]) and certified and signed
    naive = judged(
        "the error of chunks never grows with their length",
        not grows,
        "no counterexample was found",
        kind="enclosure",
        strength=Strength.CERTIFIED,
        otherwise="Four steps of a scalar network with w = r = v = 1, x = 1, y = 0, loss at 4: every lag contribution "
        "is positive, yet chunks of 3 lose more than chunks of 2, because they cut just before the loss. With the "
        "identity the "
        f"squared errors at C = 1, 2, 3, 4 are {', '.join(map(number, exact))} exactly; with tanh the balls are "
        "disjoint too.",
        counterexample=counterexample(
            problem, "the error at C = 3 is at most that at C = 2", entry="||error||^2 at C = 3",
            expected=f"<= {exact[1]}", got=str(exact[2]), gap=str(exact[2] - exact[1]),
            certified="computed in exact rationals",
            snippet=error_program(problem, {f"C = {C}": KEPT.format(C) for C in range(1, 5)}),
        ),
        tanh=[number(b) for b in balls],
    )  # fmt: skip
    least_shown = show(least.found) if least.found else "none"
    holds = judged(
        "the lags kept by chunks of C are among those kept by chunks of nC",
        nested_along_divisors(),
        "What chunks of $C$ keep, chunks of $nC$ keep: $(t-1)$ mod $C$ is the remainder by $C$ of "
        "$(t-1)$ mod $nC$, and so no larger. Where lag contributions share a sign, merging chunks never hurts.",
        kind="enumeration",
        strength=Strength.PROVED,
        scope=f"every pair of lengths at T = 12, 13 and {LONGEST}; all others by the argument",
        smallest=f"worse at C = 2 than at C = 1, loss at every step, T = 3: {least_shown}, squared errors "
        f"{list(least.errors)}",
    )
    return Statement(
        "truncation-chunked-monotone", "Where it is not monotone", "Longer chunks are never worse",
        r"\| \mathrm{error}_{C + 1} \| \le \| \mathrm{error}_{C} \|", naive,
        r"\{(t,k) : k \le (t-1) \bmod C\} \subseteq \{(t,k) : k \le (t-1) \bmod nC\} \quad (n = 1, 2, \ldots)", holds,
        comment="What matters to a loss is how far back the last cut lies, and a longer chunk may put it nearer.",
    )  # fmt: skip


def _tail() -> Statement:
    equal, total = tail_identities()
    verdict = judged(
        "where C does not divide T, the losses of the last T mod C steps keep the lags back to the last cut",
        total > 0 and equal == total,
        "The shipped rule takes the shorter last chunk: equal as polynomials to SymPy's lag terms, summed over "
        "$k$ up to $(t-1)$ mod $C$, at every $C$ that does not divide $T$.",
        kind="formal",
        strength=Strength.PROVED,
        scope="T = 3, C = 2 and T = 4, C = 3, I = 2, D = K = 1, f, g and L undefined",
        identities=total,
    )
    return Statement(
        "truncation-chunked-tail", "Chunks and their tail", "The tail of a chunked sequence",
        r"\mathrm{chunked}_C = \sum_{t=1}^{T} \sum_{k=0}^{(t-1) \bmod C} g(t,k) \quad (C \nmid T)", verdict,
    )  # fmt: skip


def _windows() -> Statement:
    differ = windows_differ_formally()
    naive = judged(
        "BPTT(h; h) of Williams and Peng is chunked truncation at h",
        not differ,
        "no difference was found",
        kind="formal",
        strength=Strength.PROVED,
        otherwise="At $h = 2$ and $T = 3$ the polynomials differ: the pass at the end of the sequence goes back 2 "
        "steps, over the cut between steps 2 and 3, and keeps lag 1 of the last loss, which chunks drop.",
        counterexample=_windows_example(),
    )
    holds = judged(
        "BPTT(h; h) and chunks of h keep the same lags if and only if h divides T or h >= T",
        differ and windowed_is_chunked(),
        "At $t = T$ the one keeps $h$ lags, the other as many as the last chunk has steps: fewer, unless $h$ divides "
        "$T$ or the sequence is no longer than $h$. Then they keep the same lags of every loss.",
        kind="enumeration",
        strength=Strength.PROVED,
        scope="every h <= 25 and T <= 24; all others by the argument",
    )
    return Statement(
        "truncation-windows", "Chunks and their tail", "BPTT(h; h) is chunked truncation",
        r"\mathrm{BPTT}(h; h) = \mathrm{chunked}_h", naive,
        r"\mathrm{BPTT}(h; h) = \mathrm{chunked}_h \;\iff\; h \mid T \;\text{ or }\; h \ge T", holds,
        comment="A framework that detaches every h steps does the second; the paper's schedule does the first.",
    )  # fmt: skip


def _windows_example() -> Any:
    problem = positive_problem(T=3)
    lifted = problem.over(RATIONAL)
    of_windows, of_chunks = (squared_norm(RATIONAL, dropped(lifted, claim)) for claim in (Windowed(2, 2), Chunked(2)))
    return counterexample(
        problem, "BPTT(2; 2) drops what chunks of 2 drop", entry="||error||^2", expected=str(of_chunks),
        got=str(of_windows), gap=str(abs(of_chunks - of_windows)), certified="computed in exact rationals",
        snippet=error_program(
            problem, {"BPTT(2; 2)": "k < 2 - (min(-(-t // 2) * 2, T) - t)", "chunks of 2": KEPT.format(2)}
        ),
    )  # fmt: skip
