"""Every output with every loss, differentiated by SymPy and compared with `output_error`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.networks.losses import LOSSES, OUTPUTS, Head
from gradcheck.reference.scalars.expression import ExpressionField
from gradcheck.reference.scalars.precise import PreciseField

FIELD = ExpressionField()
HEADS = list(dict.fromkeys(network.head for network in ALL_NETWORKS))
K = 3
U = sp.symbols("u1:4", real=True)
Y = sp.symbols("y1:4", real=True)
FORMULAS = {
    "identity": lambda u: list(u),
    "tanh": lambda u: [sp.tanh(v) for v in u],
    "logistic": lambda u: [1 / (1 + sp.exp(-v)) for v in u],
    "softmax": lambda u: [sp.exp(v) / sum(sp.exp(w) for w in u) for v in u],
    "squared_error": lambda y, p: sum((q - v) ** 2 for v, q in zip(y, p, strict=True)) / 2,
    "binary_cross_entropy": lambda y, p: (
        -sum(v * sp.log(q) + (1 - v) * sp.log(1 - q) for v, q in zip(y, p, strict=True))
    ),
    "categorical_cross_entropy": lambda y, p: -sum(v * sp.log(q) for v, q in zip(y, p, strict=True)),
}
"""The textbook's formulas, written here once more: not those under test."""


def label(head: Head) -> str:
    return f"{head.output.name}, {head.loss.name}"


def targets_of(head: Head) -> list[Any]:
    """Symbols; for the categorical cross-entropy they sum to 1, on which its short derivative rests."""
    return [*Y[:-1], 1 - sum(Y[:-1])] if head.loss.name == "categorical_cross_entropy" else list(Y)


def expressions(values: Any) -> Any:
    return FIELD.array(values, (len(values),))


def test_every_pair_that_goes_together_is_here() -> None:
    assert {h.output.name for h in HEADS} == set(OUTPUTS) and {h.loss.name for h in HEADS} == set(LOSSES)
    assert len(HEADS) == 6


def numerically_zero(expression: Any) -> bool:
    """Zero at ten points to 40 digits: simplify() is not asked to know every law of exp."""
    rng = np.random.default_rng(5)
    for _ in range(10):
        point = {s: sp.Rational(int(v), 64) for s, v in zip((*U, *Y), rng.integers(-90, 90, 2 * K), strict=True)}
        if abs(sp.N(expression.rewrite(sp.exp).subs(point), 60)) > sp.Float(10) ** -40:
            return False
    return True


@pytest.mark.parametrize("head", HEADS, ids=label)
def test_output_error_is_sympys_derivative_of_the_composition(head: Head) -> None:
    y = targets_of(head)
    composed = FORMULAS[head.loss.name](y, FORMULAS[head.output.name](U))
    ours = FIELD.natives(head.error(expressions(U), expressions(y)))
    for k in range(K):
        wrong = f"dL/du_{k + 1} for {label(head)}"
        assert numerically_zero(composed.diff(U[k]) - ours[k]), wrong
        assert not numerically_zero(composed.diff(U[k]) - ours[k] * (1 + sp.Rational(1, 10**9))), f"{wrong}: blind"


@pytest.mark.parametrize("head", HEADS, ids=label)
def test_value_is_the_textbooks(head: Head) -> None:
    y = targets_of(head)
    ours = FIELD.native(np.asarray(head.value(expressions(U), expressions(y))).item())
    point = {s: sp.Rational(k + 1, 7) for k, s in enumerate((*U, *Y))}
    theirs = FORMULAS[head.loss.name](y, FORMULAS[head.output.name](U))
    assert abs(sp.N((ours - theirs).rewrite(sp.exp).subs(point), 50)) < sp.Float(10) ** -40


def test_the_categorical_error_needs_targets_that_sum_to_one() -> None:
    head = Head.named("softmax", "categorical_cross_entropy")
    composed = FORMULAS[head.loss.name](Y, FORMULAS["softmax"](U))
    ours = FIELD.natives(head.error(expressions(U), expressions(Y)))
    assert not numerically_zero(composed.diff(U[0]) - ours[0]), "then the short form yhat - y would be no derivative"


@pytest.mark.parametrize("head", HEADS, ids=label)
def test_loss_derivative_and_pull_make_the_output_error(head: Head) -> None:
    """The two factors e = dL/dyhat and J_g(u)^T e of the lecture, where the error takes a short cut."""
    y = targets_of(head)
    u, target = expressions(U), expressions(y)
    whole = FIELD.natives(head.error(u, target))
    factored = FIELD.natives(head.output.pull(u, head.loss.derivative(target, head.output(u))))
    assert all(numerically_zero(a - b) for a, b in zip(whole, factored, strict=True))


@pytest.mark.parametrize("head", HEADS, ids=label)
@pytest.mark.parametrize("scale", [1.0, 40.0, 700.0])
def test_floats_agree_with_50_digits_also_where_outputs_saturate(head: Head, scale: float) -> None:
    rng = np.random.default_rng(3)
    u = rng.normal(size=K) * scale
    y = np.array([0.25, 0.5, 0.25])
    field = PreciseField(60)
    with field.working():
        true = [float(v) for v in field.natives(head.error(field.lift(u), field.lift(y)))]
    with np.errstate(all="raise", under="ignore"):
        error = head.error(u, y)
    assert np.abs(error - true).max() <= 40 * np.finfo(float).eps, f"{error} and {true}"


@pytest.mark.parametrize("head", HEADS, ids=label)
def test_one_output(head: Head) -> None:
    u, y = np.array([0.3]), np.array([1.0])
    assert head.error(u, y).shape == (1,)
    if head.output.name == "softmax":
        assert head.error(u, y)[0] == 0, "the softmax of one number is 1 whatever it is"


@pytest.mark.parametrize(
    ("output", "loss", "said"),
    [
        ("softplus", "squared_error", "there is no output 'softplus'; choose one of identity, tanh, logistic, softmax"),
        ("identity", "hinge", "there is no loss 'hinge'; choose one of squared_error"),
        ("identity", "binary_cross_entropy", "binary_cross_entropy needs the output 'logistic'"),
        ("logistic", "categorical_cross_entropy", "categorical_cross_entropy needs the output 'softmax'"),
        ("softmax", "binary_cross_entropy", "whose values are probabilities; got 'softmax'"),
    ],
)
def test_pairs_that_do_not_go_together(output: str, loss: str, said: str) -> None:
    with pytest.raises(GradcheckError) as raised:
        Head.named(output, loss)
    assert said in str(raised.value)


def test_targets_that_a_loss_is_not_defined_on() -> None:
    binary = Head.named("logistic", "binary_cross_entropy")
    with pytest.raises(GradcheckError, match=r"wants targets in \[0, 1\]; got -0.5 to 1.0"):
        binary.validate_targets(np.array([[1.0], [-0.5]]))
    categorical = Head.named("softmax", "categorical_cross_entropy")
    with pytest.raises(GradcheckError, match="sum to 1 at every step; step 2 sums to 1.5"):
        categorical.validate_targets(np.array([[0.5, 0.5], [0.75, 0.75]]))
    categorical.validate_targets(np.array([[1 / 3, 1 / 3, 1 / 3]]))
    categorical.validate_targets(np.array([[0.1, 0.2, 0.7]], dtype=np.float32))
    Head.named("identity", "squared_error").validate_targets(np.array([[-5.0]]))


def test_undefined_heads_have_no_separate_parts() -> None:
    head = ALL_NETWORKS[0].undefined().head
    with pytest.raises(GradcheckError, match="use network.output_error"):
        head.output.pull(np.ones(2), np.ones(2))
    with pytest.raises(GradcheckError, match="use network.loss_value"):
        head.loss(np.ones(2), np.ones(2))
    with pytest.raises(GradcheckError, match="on formal and modular scalars only"):
        head.error(np.ones(2), np.ones(2))
    with pytest.raises(GradcheckError, match="an undefined output goes with an undefined loss"):
        Head.named(head.output, "squared_error")
