"""The derivative that shares what recurs is `Expr.diff`; a planted fault in it is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from made_up import GatedLeaky

from gradcheck.reference import symbolic
from gradcheck.reference.derivative import Derivative
from gradcheck.reference.network import ALL_NETWORKS, ContextNetwork, Network, Sizes
from gradcheck.reference.scalars.formal import FormalField

x, y = sp.symbols("x y", real=True)
POINT = {x: sp.Rational(7, 5), y: sp.Rational(3, 4)}
EXPRESSIONS = [
    x, y, sp.Integer(3), x + y, x * y * x, x**3, x**-2, sp.sqrt(1 + x**2), 2**x, x**x, sp.exp(x * y), sp.log(1 + x**2),
    sp.tanh(x + sp.tanh(x)) * sp.sin(x), 1 / (1 + sp.exp(-x)) ** 2,
]  # fmt: skip
NETWORKS = [Network().undefined(), ContextNetwork("tanh"), *ALL_NETWORKS[:10:3], GatedLeaky()]


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_it_is_sympys(expression: Any) -> None:
    assert abs((Derivative(x)(expression) - expression.diff(x)).subs(POINT).evalf(40)) < 1e-35


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_lag_terms_sum_to_sympys_gradient(network: Any) -> None:
    sizes = Sizes(2, 2, 1, 2)
    lower = symbolic.Lowering(FormalField(200))
    terms = [symbolic.lag_term(network, sizes, t, k) for t in (1, 2) for k in range(t)]
    for name, array in symbolic.gradient(network, sizes).items():
        for index in np.ndindex(*array.shape):
            total = lower.field.convert(0)
            for term in terms:
                total = total + lower(term[name][index])
            assert total == lower(array[index]), f"{name}{index}"


def test_a_path_left_out_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Derivative._differentiate
    monkeypatch.setattr(
        Derivative, "_differentiate", lambda self, e: own(self, sp.Add(*e.args[:1])) if e.is_Add else own(self, e)
    )
    assert Derivative(x)(x + x**2).subs(POINT) != (x + x**2).diff(x).subs(POINT)
