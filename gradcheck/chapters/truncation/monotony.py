"""Naive claim that "a longer horizon is never worse", and the smallest network on which it is false.

At T = 1 nothing can be dropped. At T = 2 the error is g(2, 1) at tau = 1 and 0 at tau = 2. So T = 3 is the first
length at which the error can grow with tau, for any network. There the search goes through every scalar linear
network with integer entries, v = 1 and a(0) = 0,
    a(t) = w x(t) + r a(t-1),  yhat = a,  loss (yhat - y)^2 / 2 at the steps named,
in the order of the sum of absolute values of w, r, x and y; among equals fewer minus signs first, and then as the
tuples (w, r, x, y) compare, smaller absolute values first. What is found first is therefore the smallest, and the
networks before it, all of which were tried, are monotone. Only lags count that the whole gradient has: W and R
together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...records import Statement, Strength
from ...reference.claims import LagClaim, Truncated
from ...reference.network import Network
from ...reference.problem import Problem
from ..verdicts import judged
from .programs import counterexample, error_program
from .tails import RATIONAL, THETA, dropped, squared_norm

Entries = tuple[int, ...]
Names = tuple[int, ...]
LARGEST_SUM = 8


@dataclass(frozen=True)
class Scalar:
    """Scalar linear network on integers. losses: the steps that have one; y is 0 at the others."""

    w: int
    r: int
    x: Entries
    y: Entries
    losses: Entries

    @property
    def T(self) -> int:
        return len(self.x)

    def lag(self, t: int, k: int) -> tuple[int, int]:
        """Return g(t, k) of (w, r), by hand: e(t) r^k times x(t-k) and a(t-k-1)."""
        if t not in self.losses:
            return 0, 0
        a = [0]
        for x in self.x:
            a.append(self.w * x + self.r * a[-1])
        error = (a[t] - self.y[t - 1]) * self.r**k
        return error * self.x[t - k - 1], error * a[t - k - 1]

    def problem(self) -> Problem:
        """Return the network as a problem of the library, on floats."""
        weights = np.array([float(t in self.losses) for t in range(1, self.T + 1)])
        parameters = {"W": [[self.w]], "R": [[self.r]], "V": [[1]]}
        x, y = (np.array(values, dtype=float)[:, None] for values in (self.x, self.y))
        floats = {name: np.array(value, dtype=float) for name, value in parameters.items()}
        return Problem(floats, x, y, loss_weights=weights, network=Network("identity"))


def vectors(length: int, total: int) -> Iterator[Entries]:
    """Yield every integer vector of that length whose absolute values sum to `total`."""
    if length == 0:
        if total == 0:
            yield ()
        return
    for size in range(total + 1):
        for rest in vectors(length - 1, total - size):
            yield (size, *rest)
            if size:
                yield (-size, *rest)


Horizons = Callable[[Scalar, Names], list[int]]


def windowed(net: Scalar, names: Names = (0, 1)) -> list[int]:
    """Return ||error(tau)||^2 for tau = 1..T, over the entries (0 is w, 1 is r) in `names`."""
    return _squared_errors(net, names, lambda t, k, tau: k < tau)


def chunked(net: Scalar, names: Names = (0, 1)) -> list[int]:
    """Return the squared error of chunks of C = 1..T steps."""
    return _squared_errors(net, names, lambda t, k, C: k <= (t - 1) % C)


def _squared_errors(net: Scalar, names: Names, keeps: Callable[[int, int, int], bool]) -> list[int]:
    terms = {(t, k): net.lag(t, k) for t in net.losses for k in range(t)}
    return [
        sum(sum(g[name] for (t, k), g in terms.items() if not keeps(t, k, n)) ** 2 for name in names)
        for n in range(1, net.T + 1)
    ]


def never_grows(values: Sequence[Any]) -> bool:
    """Return True where no error at horizons 1, 2, ... is larger than the one before it."""
    return all(bool(b <= a) for a, b in zip(values, values[1:], strict=False))


@dataclass(frozen=True)
class Search:
    """Outcome of a search. found: the smallest network on which the claim is false. before: the number tried before."""

    found: Scalar | None
    before: int
    errors: tuple[int, ...] = ()


def smallest(
    T: int, losses: Entries, errors: Horizons = windowed, *, claim: Callable[[list[int]], bool] = never_grows,
    names: Names = (0, 1), plain: bool = False, most: int = LARGEST_SUM,
) -> Search:  # fmt: skip
    """Search the networks in order, up to a sum of `most`. `plain`: with x = 1 and y = 0 throughout."""
    before = 0
    free = 2 if plain else 2 + T + len(losses)
    for total in range(most + 1):
        level = sorted(vectors(free, total), key=lambda v: (sum(n < 0 for n in v), [abs(n) for n in v], v))
        for entries in level:
            net = _scalar(entries, T, losses, plain)
            values = errors(net, names)
            if not claim(values):
                return Search(net, before, tuple(values))
            before += 1
    return Search(None, before)


def _scalar(entries: Entries, T: int, losses: Entries, plain: bool) -> Scalar:
    w, r, *rest = entries
    if plain:
        return Scalar(w, r, (1,) * T, (0,) * T, losses)
    targets = dict(zip(losses, rest[T:], strict=True))
    return Scalar(w, r, tuple(rest[:T]), tuple(targets.get(t, 0) for t in range(1, T + 1)), losses)


def truncated(net: Scalar, tau: int) -> tuple[int, int]:
    """Return the gradient of (w, r) truncated at tau."""
    terms = [net.lag(t, k) for t in net.losses for k in range(min(t, tau))]
    return sum(w for w, _ in terms), sum(r for _, r in terms)


def confirmed(net: Scalar, errors: Sequence[int], claims: Sequence[LagClaim]) -> bool:
    """Return True where `reference.lags`, in exact rationals, gives these squared errors of W and R for the claims."""
    problem = net.problem().over(RATIONAL)
    found = [squared_norm(RATIONAL, dropped(problem, claim), THETA) for claim in claims]
    return all(a == b for a, b in zip(found, errors, strict=True))


def show(net: Scalar) -> str:
    """Return the network's numbers on a line."""
    inputs, targets = ", ".join(map(str, net.x)), ", ".join(f"y({t}) = {net.y[t - 1]}" for t in net.losses)
    return f"w = {net.w}, r = {net.r}, x = ({inputs}), {targets}"


SEARCHES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("any x and y, loss at T", {"losses": (3,)}),
    ("any x and y, loss at every step", {"losses": (1, 2, 3)}),
    ("x = 1, y = 0, loss at T, dL/dw alone", {"losses": (3,), "plain": True, "names": (0,)}),
    ("x = 1, y = 0, loss at T", {"losses": (3,), "plain": True}),
)
"""Searches at T = 3: (in words, arguments of `smallest`)."""


def table() -> tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the table of the smallest counterexample of each family of `SEARCHES`."""
    rows = []
    for words, arguments in SEARCHES:
        search = smallest(3, **arguments)
        net = search.found
        assert net is not None, words
        kept = [truncated(net, tau) for tau in (1, 2, 3)]
        shown = ["(" + ", ".join(str(g[name]) for name in arguments.get("names", (0, 1))) + ")" for g in kept]
        rows.append((words, show(net), *shown, str(search.before)))
    # No-break spaces: pairs of numbers must not be torn apart in a narrow column.
    rows = [tuple(cell.replace(", ", ",\u00a0") if n > 1 else cell for n, cell in enumerate(row)) for row in rows]
    header = (
        "networks",
        "smallest counterexample",
        "tau = 1",
        "tau = 2",
        "tau = 3",
        "smaller ones, all monotone",
    )
    return (
        "Smallest scalar linear networks on which the error grows with the horizon: the gradient (dL/dw, dL/dr) "
        "truncated at tau, the last of them exact",
        header,
        tuple(rows),
    )


def statements() -> list[Statement]:
    """Return the row of the chapter."""
    search = smallest(3, (3,))
    net = search.found
    short = all(smallest(T, losses, most=5).found is None for T, losses in ((1, (1,)), (2, (2,)), (2, (1, 2))))
    claims = [Truncated(tau) for tau in (1, 2, 3)]
    shown = net is not None and short and confirmed(net, search.errors, claims)
    assert net is not None
    problem = net.problem()
    example = counterexample(
        problem, "the error at tau = 2 is at most that at tau = 1",
        entry="||error(2)||^2", expected=f"<= {search.errors[0]}", got=str(search.errors[1]),
        gap=str(search.errors[1] - search.errors[0]), certified="computed in exact rationals",
        snippet=error_program(problem, {f"tau = {tau}": f"k < {tau}" for tau in (1, 2, 3)}),
    )  # fmt: skip
    naive = judged(
        "the error never grows with the horizon",
        not shown,
        "no counterexample was found",
        kind="enumeration",
        strength=Strength.PROVED,
        otherwise=f"At {show(net)} (identity, v = 1, a(0) = 0) the gradient of (w, r) truncated at 1, 2, 3 is "
        f"{', '.join(str(truncated(net, tau)) for tau in (1, 2, 3))}: a horizon of 1 is exact by cancellation, 2 is "
        "not.",
        counterexample=example,
    )
    holds = judged(
        "the error never grows with the horizon at T <= 2, and at T = 3 that network is the smallest exception",
        shown,
        f"At T = 1 nothing is dropped, and at T = 2 the error ends at 0, so neither can have an exception. At T = 3 "
        f"all {search.before} integer scalar linear networks that come before this one in the order were tried, and "
        "all are monotone; the errors of this one are confirmed by `reference.lags` in exact rationals.",
        kind="enumeration",
        strength=Strength.PROVED,
        scope="T <= 2: every network; T = 3: scalar linear networks with integers w, r, x, y, v = 1, a(0) = 0 and the "
        "loss at T, in the order of the sum of absolute values, then of the number of minus signs, then of the numbers",
        errors=list(search.errors),
        tried=search.before,
    )
    return [
        Statement(
            "truncation-monotone", "Where it is not monotone", "A longer horizon is never worse",
            r"\| \mathrm{error}(\tau + 1) \| \le \| \mathrm{error}(\tau) \|", naive,
            r"\| \mathrm{error}(\tau + 1) \| \le \| \mathrm{error}(\tau) \| \quad (T \le 2)", holds,
            comment="Lags can cancel. Keeping one of two that cancel is worse than keeping neither, so an error that "
            "falls when a horizon is raised shows nothing about the horizons beyond.",
        )
    ]  # fmt: skip
