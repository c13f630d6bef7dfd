"""Figures of the chapter: numbers from balls and exact rationals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...records import Figure
from ...reference.problem import Problem
from . import balancing, chunks, envelope
from .tails import BALL

LENGTH = 20


def figures() -> list[Figure]:
    """Return all figures, in the order of the chapter."""
    return [contracting(), expanding(), lengths(), influences()]


def _floats(values: Iterable[Any]) -> list[float]:
    return [float(value) for value in values]


def _errors(checked: envelope.Checked) -> tuple[list[float], list[float]]:
    return [float(tau) for tau in range(1, len(checked.errors) + 1)], _floats(checked.errors)


def contracting() -> Figure:
    """Return error and envelope of a net with rho near 0.8."""
    checked = envelope.check(envelope.example(0.8, T=LENGTH))
    taus, errors = _errors(checked)
    return Figure(
        "truncation-contracting",
        "Error against horizon under contraction",
        "horizon tau",
        "Frobenius norm over W and R",
        {"error": (taus, errors), "envelope": (taus, _floats(checked.bounds))},
        f"A tanh net with I = 4, T = {LENGTH} and every Jacobian of spectral norm at most {checked.rho:.3f}. The error "
        "lies below the envelope at every horizon, certified by balls, and is exactly 0 at $T$.",
        styles={"envelope": "dashed"},
        section="Where it decays",
    )


def expanding() -> Figure:
    """Return the errors of nets whose Jacobians do not contract."""
    series, worse = {}, 0
    for scale, seed, cyclic in ((1.5, 3, True), (1.5, 1, False), (4.0, 1, False)):
        checked = envelope.check(envelope.example(scale, T=LENGTH, seed=seed, cyclic=cyclic))
        _, errors = series[f"rho up to {checked.rho:.2f}"] = _errors(checked)
        worse += sum(b > a for a, b in zip(errors, errors[1:], strict=False))
    return Figure(
        "truncation-expanding",
        "Error against horizon without contraction",
        "horizon tau",
        "Frobenius norm over W and R",
        series,
        f"Three tanh nets with I = 4, T = {LENGTH}. At {worse} of {3 * (LENGTH - 1)} steps to the right the error "
        "grows. There is no envelope; nor does that make the error large, as the third net shows.",
        section="Where it is not monotone",
    )


def _square_roots(problem: Problem) -> tuple[list[float], list[float]]:
    with BALL.working():
        squares = chunks.chunk_errors(problem, BALL)
        return [float(C) for C in range(1, len(squares) + 1)], [float(s.abs_upper().sqrt()) for s in squares]


def lengths() -> Figure:
    """Return the error against the length of chunks."""
    alive = envelope.example(0.95, T=12)
    return Figure(
        "truncation-chunks",
        "Error against the length of chunks",
        "length C of a chunk",
        "Frobenius norm",
        {
            "random tanh net, loss at every step": _square_roots(alive),
            "all lags positive, loss at 12 alone": _square_roots(chunks.positive_problem("tanh", T=12)),
        },
        "Sequences of 12 steps. What counts is how far the last cut lies from the losses: at $C = 11$ it lies just "
        "before the last step, and the second net loses there as much as with chunks of 1.",
        section="Chunks and their tail",
    )


def influences() -> Figure:
    """Return the influence against the horizon, through its change of sign."""
    turn = balancing.turning_horizon()
    horizons = list(range(1, 81))
    return Figure(
        "truncation-influence",
        "Influence balancing",
        "horizon tau",
        "influence m(tau) on unit 1",
        {
            "influence within the horizon": (_floats(horizons), _floats(map(balancing.influence, horizons))),
            "its limit, the true influence": ([1.0, 80.0], [float(balancing.limit())] * 2),
        },
        f"Exact rationals. Below a horizon of {turn} the truncated gradient points the wrong way.",
        log_y=False,
        styles={"its limit, the true influence": "dashed"},
        section="What truncation can do to descent",
    )
