"""Where lag contributions share a sign, the error strictly grows as tau shrinks.

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

from ..evidence import formal
from ..reference.network import Network, Sizes
from ..reference.problem import Problem
from ..reference.scalars.base import Field
from ..verdicts import Statement, Strength
from .records import judged
from .tails import THETA, entries, errors, squared_norm, sums_by_lag

SHAPES = ((1, 1, 1), (2, 1, 1), (2, 1, 2))
LARGEST_T = 4


def share_a_sign(problem: Problem, field: Field) -> bool:
    """Whether no entry receives lag contributions of both signs, certainly; the caller enters `field.working()`."""
    from ..reference import lags

    parts = [entries(field, part) for part in lags.by_lag(problem).values()]
    return all(all(v >= 0 for v in column) or all(v <= 0 for v in column) for column in zip(*parts, strict=True))


def strictly_grows(problem: Problem, field: Field) -> bool:
    """Whether ||error(tau)|| > ||error(tau + 1)|| certainly, at every tau < T."""
    sizes = [squared_norm(field, error) for error in errors(sums_by_lag(problem))]
    return all(bool(a > b) for a, b in zip(sizes, sizes[1:], strict=False))


def positive_lags(
    network: Any = None, *, T: int = LARGEST_T, shape: tuple[int, int, int] = (2, 1, 1), flip: str = ""
) -> tuple[int, list[str]]:
    """How many entries of lag terms have positive coefficients only, and the names of those that have not.

    `network`, f, g and L undefined if left out, in SymPy's own lag terms. `flip`: generators whose name starts so
    count with a minus sign, as targets do in yhat - y. For k >= 1 the entries of V are zero, and so not counted.
    """
    ref = formal.reference(network or Network().undefined(), Sizes(T, *shape), False)
    flipped = None
    positive, others = 0, []
    for t in range(1, T + 1):
        for k in range(t):
            for name, array in ref.term(t, k).items():
                if name not in THETA and k > 0:
                    continue
                flipped = [i for i, label in enumerate(ref.field.labels) if flip and label.startswith(flip)]
                for index, polynomial in enumerate(array.reshape(-1)):
                    signs = [c * (-1) ** sum(m[i] for i in flipped) for m, c in polynomial.terms()]
                    if signs and all(c > 0 for c in signs):
                        positive += 1
                    else:
                        others.append(f"g({t},{k}) of {name}, entry {index}")
    return positive, others
