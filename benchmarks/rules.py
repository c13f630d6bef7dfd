"""What RTRL costs beyond its matrix products, and what blocks save; all in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcheck.algorithms import RTRL, Schmidhuber, bptt, run_online
from gradcheck.reference.network import Sizes

from .frameworks import problem_of
from .rows import Outcome, Row, at_least, at_most, in_turn, require_same


def rtrl_over_its_products(units: int, T: int) -> Callable[[], Outcome]:
    """The products are J(t) M(t-1) and d(t)^T M(t), of every step, into memory that is there already."""

    def run() -> Outcome:
        problem = problem_of(Sizes(T=T, I=units, D=16, K=8))
        rng, (n, D) = np.random.default_rng(1), (problem.sizes.I, problem.sizes.D)
        J, M = rng.normal(size=(n, n)), rng.normal(size=(n, (D + n) * n))
        out, d, contribution = np.empty_like(M), rng.normal(size=n), np.empty(M.shape[1])

        def products() -> None:
            for _ in range(problem.T):
                np.matmul(J, M, out=out)
                np.matmul(d, out, out=contribution)

        require_same(run_online(RTRL(), problem), bptt(problem))
        return in_turn(lambda: run_online(RTRL(), problem), products, ("RTRL", "its products alone"), repeats=7)

    return run


def rtrl_over_blocks() -> Outcome:
    problem = problem_of(Sizes(T=256, I=128, D=16, K=8))
    require_same(run_online(Schmidhuber(), problem), run_online(RTRL(), problem))
    return in_turn(
        lambda: run_online(RTRL(), problem),
        lambda: run_online(Schmidhuber(), problem),
        ("RTRL", "Schmidhuber, blocks of 128"),
        repeats=5,
    )


ROWS = (
    *(
        Row(
            f"RTRL / its matrix products J M and d^T M, I={units}, T={T}",
            at_most(1.3),
            rtrl_over_its_products(units, T),
        )
        for units, T in ((64, 100), (128, 32), (192, 16))
    ),
    Row("RTRL / Schmidhuber's blocks, I=128, T=256", at_least(8), rtrl_over_blocks),
)
