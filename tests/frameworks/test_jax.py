"""Rules from JAX: losses and gradients, with jit, scan and custom_vjp, in both precisions, judged for real."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from brief import BRIEF

import gradcheck
from gradcheck.evidence.base import Case
from gradcheck.evidence.floats import blackbox, comparison
from gradcheck.evidence.floats import plans as floats
from gradcheck.evidence.preconditions import purity
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Status
from gradcheck.reference.errors import GradcheckError, UnsupportedOperation
from gradcheck.reference.network import DEFAULT_NETWORK, Sizes
from gradcheck.reference.scalars.ball import BallField
from gradcheck.rules.adapt import WrongResult, as_rule
from gradcheck.rules.call import run
from gradcheck.rules.torch import TorchRNN

if importlib.util.find_spec("jax") is None:
    pytest.skip("jax is missing; pip install 'rnn-gradcheck[jax]'", allow_module_level=True)

pytestmark = [pytest.mark.jax, pytest.mark.usefixtures("quick_to_compile")]

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import jax_rules as rules  # noqa: E402

SIZES = Sizes(4, 3, 3, 2)
EXACT = gradcheck.Exact()


def outside(rule: Any, sizes: Sizes = SIZES, dtype: Any = np.float64) -> tuple[Any, set[str]]:
    """(the first entry beyond rounding, the formats that came back) on one problem, as black boxes are judged."""
    made = as_rule(rule)
    problem = lively_problem(DEFAULT_NETWORK, sizes, 0, weighted=made.declaration.weighted)
    seen, result, *_ = comparison.compare_on(made, EXACT, problem, {}, dtype)
    return seen.outside, {array.dtype.name for array in result.values()}


def test_a_compiled_scan_holds_from_end_to_end(brief: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brief, since each size is a compilation."""
    monkeypatch.setattr(purity, "SIZES", purity.SIZES[:2])
    report = gradcheck.audit(gradcheck.jax.rule(rules.layer, networks=[TorchRNN()]), effort="quick")
    assert report.passed and report.rule == "layer" and report.summary == rules.layer.__doc__, str(report)
    evidence = next(v for v in report.verdicts if v.claim == "exact").evidence
    others = [e for e in evidence if e.kind not in floats.KINDS]
    assert others and all(e.status is Status.NOT_RUN and "judged as a black box" in e.statement for e in others), others
    seen = next(e for e in evidence if e.kind == "float64").details["longest_visible_lag"]
    assert {lag for name, lag in seen.items() if not name.startswith("readout")} == {BRIEF.floats.float64[0].T - 1}, (
        seen
    )


RIGHT: list[tuple[Any, dict[str, Any]]] = [
    (rules.loss, {}),
    (rules.loss, {"jit": False}),
    (jax.jit(rules.loss), {}),
    (rules.unrolled, {}),
    (rules.gradients, {}),
    (rules.gradients, {"jit": False}),
    (rules.custom_right, {}),
    (rules.weighted_loss, {"weighted": True}),
]


@pytest.mark.parametrize(("function", "options"), RIGHT, ids=[f"{i}" for i in range(len(RIGHT))])
def test_losses_and_gradients_hold(function: Any, options: dict[str, Any]) -> None:
    assert outside(gradcheck.jax.rule(function, **options)) == (None, {"float64"})


WRONG: list[tuple[Any, dict[str, Any]]] = [
    (rules.custom_wrong, {}),
    (rules.scaled, {}),
    (rules.weights_forgotten, {"weighted": True}),
    (rules.without_readout, {}),
]


@pytest.mark.parametrize(("function", "options"), WRONG, ids=[f"{i}" for i in range(len(WRONG))])
def test_planted_faults_are_beyond_rounding(function: Any, options: dict[str, Any]) -> None:
    assert outside(gradcheck.jax.rule(function, **options))[0], "a wrong gradient passed"


def test_a_wrong_custom_vjp_is_refuted() -> None:
    case = Case(as_rule(gradcheck.jax.rule(rules.custom_wrong)), EXACT, DEFAULT_NETWORK)
    evidence = blackbox.BlackBox().gather(case).evidence
    assert evidence.status is Status.REFUTED and "rounding allows" in evidence.statement, evidence.statement


@pytest.mark.parametrize(
    ("x64", "dtype", "came"),
    [
        (None, np.float64, "float64"),
        (None, np.float32, "float32"),
        (False, np.float64, "float32"),
        (True, np.float32, "float32"),
    ],
)
def test_precision_follows_the_problem_unless_told(x64: bool | None, dtype: Any, came: str) -> None:
    assert outside(gradcheck.jax.rule(rules.loss, x64=x64), dtype=dtype) == (None, {came})


def test_a_loss_in_float32_is_judged_as_float32() -> None:
    assert outside(gradcheck.jax.rule(rules.in_float32)) == (None, {"float32"})


@pytest.mark.parametrize("x64", [True, False])
def test_the_global_configuration_is_neither_changed_nor_heeded(x64: bool) -> None:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", x64)
    try:
        assert outside(gradcheck.jax.rule(rules.loss)) == (None, {"float64"})
        assert jax.config.jax_enable_x64 is x64, "an audit changed JAX's global configuration"
    finally:
        jax.config.update("jax_enable_x64", before)


def test_a_parameter_that_the_loss_does_not_reach_has_gradient_zero() -> None:
    found = gradcheck.jax.rule(rules.without_readout)(lively_problem(DEFAULT_NETWORK, SIZES, 0))
    assert not found["V"].any() and found["W"].all() and found["R"].all(), found


@pytest.mark.parametrize(
    ("relu", "lower"), [(jax.nn.relu, True), (lambda s: jnp.maximum(s, 0), False)], ids=["nn.relu", "maximum"]
)
def test_the_slope_of_relu_at_its_kink_may_be_0_or_not(relu: Any, lower: bool) -> None:
    network = gradcheck.Network("relu")
    weights = {"W": np.zeros((2, 1)), "R": np.array([[0.5]]), "V": np.array([[1.0]])}
    at_kink = gradcheck.Problem(weights, np.ones((1, 2)), np.ones((1, 1)), network=network)
    made = as_rule(gradcheck.jax.rule(rules.rectified(relu), networks=[network]))
    seen, *_ = comparison.compare_on(made, EXACT, at_kink, {})
    assert seen.outside is None and (seen.kink is None) is lower


def test_gradients_kept_from_call_to_call_are_impure() -> None:
    case = Case(as_rule(gradcheck.jax.rule(rules.Kept(), jit=False)), gradcheck.Pure(), DEFAULT_NETWORK)
    evidence = purity.Purity(sizes=[SIZES]).gather(case).evidence
    assert evidence.status is Status.REFUTED and "it keeps state" in evidence.statement, evidence.statement
    right = Case(as_rule(gradcheck.jax.rule(rules.gradients, jit=False)), gradcheck.Pure(), DEFAULT_NETWORK)
    assert purity.Purity(sizes=[SIZES]).gather(right).evidence.status is Status.HOLDS


RETURNS: list[tuple[Any, str]] = [
    (lambda p, *_: None, "odd returned None; return a loss of shape () or a dict of gradients"),
    (lambda p, *_: (p["W"].sum(), p["W"]), "odd returned a tuple; return a loss"),
    (lambda p, *_: p["W"].sum(0), "of shape (3,); return a loss of shape ()"),
    (lambda p, *_: p["W"].astype(int).sum(), "of shape (); return a loss"),
    (
        lambda p, *_: {**p, "R": p["R"].astype(jnp.bfloat16)},
        "odd returned bfloat16 for R, which is too coarse to judge; return float32 or float64",
    ),
    (rules.in_bfloat16, "odd returned bfloat16 for R, which is too coarse to judge; return float32 or float64"),
    (lambda p, *_: {"W": p["W"], "R": p["R"]}, "lacks V"),
    (lambda p, *_: {**p, "R": p["R"][0]}, "odd returned shape (3,) for R; wanted (3, 3)"),
]


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize(("function", "fragment"), RETURNS, ids=[f"{i}" for i in range(len(RETURNS))])
def test_other_results_are_refused_in_words(function: Any, fragment: str, jit: bool) -> None:
    with pytest.raises(WrongResult) as caught:
        run(as_rule(gradcheck.jax.rule(function, jit=jit, name="odd")), lively_problem(DEFAULT_NETWORK, SIZES, 0))
    assert fragment in str(caught.value), f"wanted {fragment!r} in: {caught.value}"


def test_an_error_in_jax_names_the_users_line() -> None:
    def misfit(p: Any, inputs: Any, targets: Any, state: Any) -> Any:
        return (state @ p["V"].T).sum()

    with pytest.raises(GradcheckError, match=r"misfit raised TypeError.*line \d+: return \(state @ p"):
        run(as_rule(gradcheck.jax.rule(misfit)), lively_problem(DEFAULT_NETWORK, SIZES, 0))


def test_other_scalars_are_refused_by_name() -> None:
    problem = lively_problem(DEFAULT_NETWORK, SIZES, 0).over(BallField(64))
    with pytest.raises(UnsupportedOperation, match="a JAX array is not defined on ball scalars"):
        gradcheck.jax.rule(rules.loss)(problem)


@pytest.mark.parametrize(
    ("given", "options", "fragment"),
    [
        (EXACT, {}, "pass the function first, as in gradcheck.jax.rule(function, gradcheck.Exact())"),
        (3, {}, "3 cannot be made a rule; pass a function(parameters, inputs, targets, initial_state)"),
        (rules.loss, {"x64": "no"}, "x64 is 'no'; pass True, False, or None"),
    ],
)
def test_what_cannot_be_a_rule_is_refused_in_words(given: Any, options: dict[str, Any], fragment: str) -> None:
    with pytest.raises(GradcheckError) as caught:
        gradcheck.jax.rule(given, **options)
    assert fragment in str(caught.value), f"wanted {fragment!r} in: {caught.value}"
