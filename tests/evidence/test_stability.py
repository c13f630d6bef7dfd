"""`stable`: rules that are right as formulas and wrong as programs are refuted from the value on, right ones never."""

from __future__ import annotations

from typing import Any

import lstm
import numpy as np
import pytest
import right_rules
from wrong_rules import made

import gradcheck
from gradcheck import Exact, Network, Truncated
from gradcheck.evidence.base import Case, Finding
from gradcheck.evidence.floats.stability import Stability
from gradcheck.problems.arguments import reached
from gradcheck.problems.extremes import READOUT, STEP, Base, families, parts
from gradcheck.records import Status, Strength
from gradcheck.reference.claims import Stable, checked_expectations, with_stable
from gradcheck.reference.networks.base import Sizes
from gradcheck.rules.adapt import as_rule

SLOPE = "slope = net.activation.derivative(s[t])"
STATE = "net.activation(s[t])"
ERROR = "net.output_error(V.T @ a[t], y[t - 1])"
RETURN = 'return {"W": dW, "R": dR, "V": dV}'
LOGISTIC = "1 / (1 + np.exp(-(V.T @ a[t])))"
TANH, CLASSES = Network(), Network("tanh", "softmax", "categorical_cross_entropy")
BINARY = Network("tanh", "logistic", "binary_cross_entropy")


def found(rule: Any, network: Any = TANH, *claims: Any) -> Finding:
    given = as_rule(rule, claims=claims or (Exact(),), networks=[network])
    return Stability().gather(Case(given, Stable(), given.declaration.networks[0]))


UNSTABLE = {
    "slope of exp(-s)": (Network("logistic"), SLOPE, "slope = np.exp(-s[t]) / (1 + np.exp(-s[t])) ** 2", "s = -709"),
    "slope of exp(s)": (Network("logistic"), SLOPE, "slope = np.exp(s[t]) / (1 + np.exp(s[t])) ** 2", "s = 709"),
    "squares of exponentials": (
        TANH, SLOPE, "p = np.exp(2 * s[t])\n        slope = 4 * p / (p * p + 2 * p + 1)", "s = 354"),
    "tanh by exponentials": (
        TANH, STATE, "(np.exp(s[t]) - np.exp(-s[t])) / (np.exp(s[t]) + np.exp(-s[t]))", "s = 7"),
    "guarded too late": (TANH, SLOPE, SLOPE + "\n        with np.errstate(all='ignore'):\n            "
        "slope = np.where(abs(s[t]) > 800, 0, 4 * np.exp(2 * s[t]) / (np.exp(2 * s[t]) + 1) ** 2)", "s = 35"),
    "logarithm of 1 + exp(s)": (Network("softplus"), STATE, "np.log(1 + np.exp(s[t]))", "s = 709"),
    "softmax without a shift": (
        CLASSES, ERROR, "(lambda p: p / p.sum() - y[t - 1])(np.exp(V.T @ a[t]))", "u = 7"),
    "log of 0": (
        CLASSES, ERROR, "net.output.pull(V.T @ a[t], -y[t - 1] / net.output(V.T @ a[t]))", "u = "),
    "chain rule through a saturated output": (
        BINARY, ERROR, f"(lambda p: (p - y[t - 1]) / (p * (1 - p)) * p * (1 - p))({LOGISTIC})", "u = "),
    "clipped probability": (BINARY, ERROR, f"np.clip({LOGISTIC}, 1e-7, 1 - 1e-7) - y[t - 1]", "u = "),
    "tanh that ends at 15": (TANH, STATE, "np.where(abs(s[t]) > 15, np.sign(s[t]), np.tanh(s[t]))", "s = 15"),
    "softplus that is a line from 20 on": (
        Network("softplus"), STATE, "np.where(s[t] > 20, s[t], np.log1p(np.exp(np.minimum(s[t], 20))))", "s = 20"),
    "logistic function that ends at 30": (
        Network("logistic"), SLOPE, "slope = net.activation.derivative(s[t]) * (abs(s[t]) < 30)", "s = "),
    "clipped logits": (
        BINARY, ERROR, "(lambda u: 1 / (1 + np.exp(-u)) - y[t - 1])(np.clip(V.T @ a[t], -30, 30))", "from u = 30"),
    "clipped logits of classes": (
        CLASSES, ERROR, "net.output(np.clip(V.T @ a[t], -15, 15)) - y[t - 1]", "from u = 15"),
    "clipped gradient": (TANH, RETURN, 'return {"W": np.clip(dW, -1e5, 1e5), "R": dR, "V": dV}', "is -100000"),
    "norm of squares": (TANH, RETURN, "norm = np.sqrt((dV * dV).sum())\n    "
        'return {"W": dW, "R": dR, "V": dV / norm * norm}', "nan"),
    "only at the last step": (TANH, SLOPE, SLOPE + "\n        slope = np.where((s[t] > 600) & (t == T), np.nan, slope)",
        "s = 600"),
    "beyond a state of 100": (Network("relu"), SLOPE, SLOPE + "\n        slope = slope * (a[t] < 100)", "s = 100"),
    "an error of Python's math": (
        TANH, STATE, "np.array([(m := __import__('math')).sinh(v) / m.cosh(v) for v in s[t]])", "OverflowError"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSTABLE)
def test_unstable_rules_are_refuted_from_a_value_on(name: str) -> None:
    network, old, new, said = UNSTABLE[name]
    evidence = found(made(name, (old, new)), network).evidence
    assert evidence.status is Status.REFUTED and evidence.strength is Strength.CERTIFIED, evidence.statement
    assert said in evidence.statement and "at float64" in evidence.statement, evidence.statement


def test_thresholds_of_float32_are_tried() -> None:
    """exp overflows float32 at 89, where float64 has room to spare."""

    def rule(problem: Any) -> Any:
        inner = made("wide", (SLOPE, "slope = np.exp(-s[t]) / (1 + np.exp(-s[t])) ** 2"))
        wider = problem.inputs.dtype == np.float64
        return made("right")(problem) if wider else inner(problem)

    evidence = found(rule, Network("logistic")).evidence
    assert evidence.status is Status.REFUTED, evidence.statement
    assert "at float32" in evidence.statement and "s = -88.7" in evidence.statement, evidence.statement


STABLE = {
    "1 / (1 + exp(-s))": (Network("logistic"), STATE, "1 / (1 + np.exp(-s[t]))"),
    "a (1 - a)": (Network("logistic"), SLOPE, "slope = a[t] * (1 - a[t])"),
    "1 - a^2": (TANH, SLOPE, "slope = 1 - a[t] ** 2"),
    "1 / cosh^2": (TANH, SLOPE, "slope = 1 / np.cosh(s[t]) ** 2"),
    "2 / (1 + exp(-2s)) - 1": (TANH, STATE, "2 / (1 + np.exp(-2 * s[t])) - 1"),
    "logaddexp": (Network("softplus"), STATE, "np.logaddexp(0, s[t])"),
    "1 - exp(-a)": (Network("softplus"), SLOPE, "slope = 1 - np.exp(-a[t])"),
    "shifted softmax": (
        CLASSES, ERROR, "(lambda p: p / p.sum() - y[t - 1])(np.exp(V.T @ a[t] - (V.T @ a[t]).max()))"),
    "exp of log-softmax": (
        CLASSES, ERROR, "(lambda v: np.exp(v - np.log(np.exp(v).sum())) - y[t - 1])(V.T @ a[t] - (V.T @ a[t]).max())"),
    "logistic minus target": (BINARY, ERROR, f"{LOGISTIC} - y[t - 1]"),
    "clipped where rounding is": (BINARY, ERROR, f"np.clip({LOGISTIC}, 1e-17, 1) - y[t - 1]"),
}  # fmt: skip


@pytest.mark.parametrize("name", STABLE)
def test_stable_formulas_hold(name: str) -> None:
    network, old, new = STABLE[name]
    evidence = found(made(name, (old, new)), network).evidence
    assert evidence.status is Status.HOLDS and "|u| up to 10000" in evidence.scope, evidence.statement


@pytest.mark.parametrize("rule", [right_rules.forward_mode, right_rules.matrices_first, right_rules.SUMS[5]])
@pytest.mark.parametrize("network", [Network("relu"), CLASSES], ids=str)
def test_right_rules_by_other_routes_hold(rule: Any, network: Any) -> None:
    assert found(rule, network).evidence.status is Status.HOLDS


def test_values_beyond_the_range_do_not_count() -> None:
    """States of relu may add up to more than 10^4."""
    evidence = found(made("capped", (STATE, "np.minimum(net.activation(s[t]), 10100)")), Network("relu")).evidence
    assert evidence.status is Status.HOLDS, evidence.statement


def test_a_complex_step_holds_though_its_steps_underflow() -> None:
    assert found(right_rules.complex_step).evidence.status is Status.HOLDS


def test_a_users_network_is_driven_by_what_its_parameters_do() -> None:
    steps, _ = reached(families(STEP, lstm.LSTM())[0].problem(Base(lstm.LSTM(), Sizes(2, 8, 2, 2), 0, False), (
        10000.0, 0.5)))  # type: ignore[arg-type]  # fmt: skip
    assert np.abs(steps[0]).max() > 9000

    def wrong(problem: Any) -> Any:
        gradient = lstm.backward(problem)
        return {**gradient, "V": gradient["V"] * np.where(np.abs(gradient["V"]) > 2000, np.nan, 1)}

    assert found(wrong, lstm.LSTM()).evidence.status is Status.REFUTED


class Opaque(Network):
    """Does not say what its functions are applied to."""

    def step(self, parameters: Any, state: Any, x: Any) -> Any:
        if getattr(getattr(state, "field", None), "u", None) == 0:
            raise gradcheck.UnsupportedOperation("step", "floats that note their arguments")
        return super().step(parameters, state, x)


def test_a_network_that_hides_its_arguments_is_tried_on_what_it_takes() -> None:
    """Its inputs and targets can be large all the same."""
    right = found(made("right"), Opaque()).evidence
    assert right.status is Status.HOLDS and "|inputs| up to 10000" in right.scope and "|s|" not in right.scope
    clipped = made("clipped", (RETURN, 'return {"W": np.clip(dW, -1e3, 1e3), "R": dR, "V": dV}'))
    assert found(clipped, Opaque()).evidence.status is Status.REFUTED


def test_a_rule_whose_claim_fails_is_only_asked_for_finite_numbers() -> None:
    doubled = made("doubled", (RETURN, 'return {"W": 2 * dW, "R": dR, "V": dV}'))
    evidence = found(doubled).evidence
    assert evidence.status is Status.HOLDS and "how accurate was not judged" in evidence.statement
    infinite = made("infinite", (SLOPE, "p = np.exp(2 * s[t])\n        slope = 8 * p / (p + 1) ** 2"))
    assert found(infinite).evidence.status is Status.REFUTED


def test_a_truncated_gradient_is_compared_with_its_own_claim() -> None:
    short = made("short", ("R @ delta", "0 * delta"))
    evidence = found(short, TANH, Truncated(1)).evidence
    assert evidence.status is Status.HOLDS and "within rounding" in evidence.statement


def test_what_a_network_shares_with_an_earlier_one_is_tried_once() -> None:
    networks = (TANH, Network("relu"), CLASSES, Network("relu", "softmax", "categorical_cross_entropy"))
    assert [parts(networks, each) for each in networks] == [(STEP, READOUT), (STEP,), (READOUT,), ()]


def test_results_are_claimed_to_be_stable_too() -> None:
    assert with_stable((Exact(),)) == (Stable(), Exact())
    assert with_stable((Exact(), Stable())) == (Exact(), Stable())
    assert with_stable((gradcheck.Pure(),)) == (gradcheck.Pure(),)


def test_mathematics_and_numerics_are_told_apart() -> None:
    """A rule may be exact and not stable; the counterexample is certified and can be expected."""
    rule = gradcheck.rule(Exact())(made("tanh", (STATE, UNSTABLE["tanh by exponentials"][2])))
    report = gradcheck.audit(rule, effort="quick", isolated=False)
    words = {verdict.claim: verdict.word for verdict in report.verdicts}
    assert words["stable"] == "REFUTED" and words["exact"] != "REFUTED" and report.exit_status == 1, str(report)
    verdict = report.verdicts[1]
    assert verdict.counterexample is not None and verdict.counterexample.got == "nan"
    assert "T=1, I=1" in verdict.statement
    assert checked_expectations({"stable": "a textbook's formula"}, [Exact()])
