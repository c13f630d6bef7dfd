"""Strict growth of the error as tau shrinks, where lag contributions share a sign.

Claim. Suppose that no entry of the gradient receives lag contributions of both signs, and that G(tau) = sum over t
of g(t, tau) is not zero. Then ||error(tau)|| > ||error(tau + 1)||, and no entry's error is larger in absolute
value at tau + 1 than at tau.
Proof. error(tau) = G(tau) + error(tau + 1). In each entry both terms have one sign, so |error(tau)| is
|G(tau)| + |error(tau + 1)| there: at least |error(tau + 1)|, and more where G(tau) is not zero. The Frobenius
norm (any norm that is strictly monotone in absolute values) follows.

When do they share it? g(t, k) = u(t-k) (d(t)^T J(t) ... J(t-k+1)), with u = [x; a], J = R^T diag f', d = f' * V e. If
parameters, inputs and initial state are not negative, f' and f are not negative there (tanh, relu, identity,
logistic, softplus: increasing, and not negative from 0 on), and the errors e(t) = w_t dL_t/du are not negative (or none
is positive), every factor is, so every product and sum. Formally: with f, f' and e as generators, every lag
term is a polynomial with positive coefficients only. A polynomial that is not zero and has such coefficients is
positive wherever all generators are. So strict growth is PROVED at every tau < T for all positive values at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...evidence.exact import formal
from ...records import Statement, Strength
from ...reference import lags
from ...reference.network import Network, Sizes
from ...reference.problem import Problem
from ...reference.scalars.base import Field
from ..verdicts import judged
from .tails import BALL, RATIONAL, THETA, entries, errors, squared_norm, sums_by_lag

SHAPES = ((1, 1, 1), (2, 1, 1), (2, 1, 2))
LARGEST_T = 4


def share_a_sign(problem: Problem, field: Field) -> bool:
    """Return True where certainly no entry receives lag contributions of both signs; call in `field.working()`."""
    parts = [entries(field, part) for part in lags.by_lag(problem).values()]
    return all(all(v >= 0 for v in column) or all(v <= 0 for v in column) for column in zip(*parts, strict=True))


def strictly_grows(problem: Problem, field: Field) -> bool:
    """Return True where ||error(tau)|| > ||error(tau + 1)|| certainly, at every tau < T."""
    sizes = [squared_norm(field, error) for error in errors(sums_by_lag(problem))]
    return all(bool(a > b) for a, b in zip(sizes, sizes[1:], strict=False))


def positive_lags(
    network: Any = None, *, T: int = LARGEST_T, shape: tuple[int, int, int] = (2, 1, 1), flip: str = ""
) -> tuple[int, list[str]]:
    """Return the number of entries of lag terms with positive coefficients only, and the names of the others.

    `network`, f, g and L undefined if left out, in SymPy's own lag terms. `flip`: generators whose name starts so
    count with a minus sign, as targets do in yhat - y. For k >= 1 the entries of V are zero, and so not counted.
    """
    ref = formal.reference(network or Network().undefined(), Sizes(T, *shape), False)
    positive, others = 0, []
    for t in range(1, T + 1):
        for k in range(t):
            for name, array in ref.term(t, k).items():
                if name not in THETA and k > 0:
                    continue
                flipped = [i for i, label in ref.field.places.items() if flip and label.startswith(flip)]
                for index, polynomial in enumerate(array.reshape(-1)):
                    signs = [c * (-1) ** sum(m[i] for i in flipped) for m, c in polynomial.terms()]
                    if signs and all(c > 0 for c in signs):
                        positive += 1
                    else:
                        others.append(f"g({t},{k}) of {name}, entry {index}")
    return positive, others


def positive_example(activation: str, T: int = 6) -> Problem:
    """Return a problem whose lag contributions are all positive: positive numbers, targets below every output."""
    parameters = {"W": [[1.0, 0.5]], "R": [[0.5, 0.25], [0.125, 0.5]], "V": [[1.0], [0.5]]}
    arrays = {name: np.array(value) for name, value in parameters.items()}
    inputs, targets = np.arange(1.0, T + 1)[:, None] / 4, -np.ones((T, 1))
    return Problem(arrays, inputs, targets, np.array([0.5, 0.25]), network=Network(activation))


def statements() -> list[Statement]:
    """Return the row of the chapter."""
    counts = [positive_lags(shape=shape) for shape in SHAPES]
    on = {
        name: (RATIONAL if name in ("identity", "relu") else BALL) for name in ("identity", "relu", "tanh", "logistic")
    }
    seen = []
    with BALL.working():
        for name, field in on.items():
            problem = positive_example(name).over(field)
            seen.append(share_a_sign(problem, field) and strictly_grows(problem, field))
    verdict = judged(
        "the error strictly grows as tau shrinks where lag contributions share a sign",
        all(not others for _, others in counts) and all(seen),
        "With positive parameters, inputs and initial state, an increasing activation that is positive there, and "
        "positive errors $dL/du$, each lag term is a polynomial in them that is not zero and has positive coefficients "
        "only. So every dropped lag adds to the error, in every entry of W and R.",
        kind="formal",
        strength=Strength.PROVED,
        scope=f"T <= {LARGEST_T} and (I, D, K) = {', '.join(map(str, SHAPES))}, f, g and L undefined; and as an "
        "example, T = 6 and I = 2, in exact rationals (identity, relu) and in balls (tanh, logistic)",
        blind="larger sizes, which the argument in `gradcheck/chapters/truncation/signs.py` covers",
        polynomials=sum(count for count, _ in counts),
    )
    return [
        Statement(
            "truncation-signs", "Where it is monotone", "Strict growth where lag contributions share a sign",
            r"g(t,k) \ge 0 \text{ for all } t, k, \;\; \sum_t g(t,\tau) \ne 0 \;\Rightarrow\;"
            r" \| \mathrm{error}(\tau) \| > \| \mathrm{error}(\tau + 1) \|", verdict,
            comment="This is the intuition behind the naive claim, and the only thing wrong with it is the missing "
            "condition.",
        )
    ]  # fmt: skip
