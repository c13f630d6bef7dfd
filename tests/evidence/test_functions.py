"""Networks with roots, powers, quotients and functions: each kind of evidence judges or says why it cannot."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from function_cells import FUNCTIONS, Cell, bptt, elementwise, rule

import gradcheck
from gradcheck.evidence.base import Case, Finding
from gradcheck.evidence.exact import modular
from gradcheck.evidence.exact.formal import Formal
from gradcheck.evidence.exact.modular import Modular
from gradcheck.evidence.preconditions import oracles
from gradcheck.records import Evidence, Status, Strength
from gradcheck.reference import functions
from gradcheck.reference.network import Sizes
from gradcheck.rules.adapt import as_rule

FLOATS_ONLY = {"erf", "where"}
"""Functions without a counterpart among polynomials and residues."""
FORMAL = Formal(largest_T=2, shapes=((1, 1, 1), (2, 1, 1)))
MODULAR = Modular(sizes=(Sizes(4, 2, 2, 1),), most_settings=1)
UNKNOWN = {("formal", "arctan"), ("formal", "tanh by exp"), ("modular", "tanh by exp")}
"""Cells of which a wrong rule, or also the right one, has functions that the network has not."""


def judged(kind: Any, function: str, *, wrong: bool = False) -> Evidence:
    finding: Finding = kind.gather(Case(as_rule(rule(function, wrong=wrong)), gradcheck.Exact(), Cell(function)))
    return finding.evidence


def exact(made: Any) -> tuple[Any, gradcheck.Report]:
    report = gradcheck.audit(made, effort="quick")
    return next(v for v in report.verdicts if v.claim == "exact"), report


@pytest.mark.parametrize("function", sorted(FUNCTIONS.keys() - FLOATS_ONLY))
@pytest.mark.parametrize("kind", [FORMAL, MODULAR], ids=lambda kind: kind.kind)
def test_a_right_rule_is_shown_and_a_wrong_one_is_not(kind: Any, function: str) -> None:
    right, wrong = judged(kind, function), judged(kind, function, wrong=True)
    if (kind.kind, function) == ("modular", "tanh by exp"):
        assert right.status is wrong.status is Status.NOT_RUN and "laws" in right.statement
        return
    assert right.status is Status.HOLDS and right.strength is kind.strength, right
    open_ = (kind.kind, function) in UNKNOWN
    assert wrong.status is (Status.NOT_RUN if open_ else Status.REFUTED), wrong


@pytest.mark.usefixtures("brief", "not_shrunk")
@pytest.mark.parametrize("function", sorted(FLOATS_ONLY))
def test_what_polynomials_and_residues_lack_is_judged_on_balls_and_floats(function: str) -> None:
    for kind, where in ((FORMAL, "polynomials"), (MODULAR, "residues")):
        evidence = judged(kind, function)
        assert evidence.status is Status.NOT_RUN
        assert evidence.statement.startswith(f"the network does not run on {where}: "), evidence.statement
    verdict, report = exact(rule(function))
    assert verdict.status is Status.HOLDS and verdict.strength is Strength.CERTIFIED, verdict
    assert report.passed
    verdict, _ = exact(rule(function, wrong=True))
    assert verdict.status is Status.REFUTED and verdict.counterexample is not None, verdict


def test_an_oracle_that_lacks_a_function_is_named_and_the_others_agree() -> None:
    found = oracles.agreement(Cell("where"))
    assert found.holds and set(found.digits) == {"difference quotient", "dual numbers", "balls"}
    assert "without SymPy: the comparison >" in found.statement
    assert set(oracles.agreement(Cell("erf")).digits) == {*found.digits, "reverse pass"}


def test_oracles_without_sympy_tell_a_wrong_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: without SymPy the difference quotient and the balls' derivative still disagree."""
    monkeypatch.setitem(functions.DERIVATIVES, "erf", lambda s, _: functions.apply("bell", s) * (1 + 2.0**-50))
    network = dataclasses.replace(Cell("erf"))
    oracles.agreement.cache_clear()
    try:
        assert not oracles.agreement(network, with_sympy=False).holds
    finally:
        oracles.agreement.cache_clear()


@dataclasses.dataclass(frozen=True)
class Normed:
    """c(t) = w c(t-1) + sqrt(1 + w^2) (W^T x), u = V^T c, as a linear recurrent unit normalises its input."""

    name: str = "normed"

    def parameter_shapes(self, s: Sizes) -> Any:
        return {"w": (s.I,), "W": (s.D, s.I), "V": (s.I, s.K)}

    def state_shape(self, s: Sizes) -> Any:
        return (s.I,)

    def sizes_of(self, p: Any, T: int) -> Sizes:
        return Sizes(T, p["w"].shape[0], p["W"].shape[0], p["V"].shape[1])

    def step(self, p: Any, c: Any, x: Any) -> Any:
        return p["w"] * c + np.sqrt(1 + p["w"] ** 2) * (p["W"].T @ x)

    def readout(self, p: Any, c: Any) -> Any:
        return p["V"].T @ c

    def output(self, u: Any) -> Any:
        return u

    def loss_value(self, u: Any, y: Any) -> Any:
        return ((u - y) ** 2).sum() / 2

    def output_error(self, u: Any, y: Any) -> Any:
        return u - y


def by_rtrl(slope: Any) -> Any:
    """RTRL for `Normed`, with d sqrt(1 + w^2)/dw as given."""

    def rtrl(p: Any) -> Any:
        w, W, V = (p.parameters[k] for k in ("w", "W", "V"))
        n, c, cw, cW = np.sqrt(1 + w**2), p.initial_state, 0 * w, 0 * W
        g = {k: 0 * v for k, v in p.parameters.items()}
        for x, y in zip(p.inputs, p.targets, strict=True):
            cw = w * cw + c + slope(w, n) * (W.T @ x)
            cW = w * cW + np.outer(x, n)
            c = w * c + n * (W.T @ x)
            e = V.T @ c - y
            g = {"w": g["w"] + (V @ e) * cw, "W": g["W"] + (V @ e) * cW, "V": g["V"] + np.outer(c, e)}
        return g

    return gradcheck.rule(gradcheck.Exact(), networks=[Normed()])(rtrl)


@pytest.mark.usefixtures("brief", "not_shrunk")
def test_a_network_with_a_root_is_proved_and_its_wrong_rule_refuted() -> None:
    verdict, report = exact(by_rtrl(lambda w, n: w / n))
    assert verdict.strength is Strength.PROVED and report.passed, verdict
    assert "wherever the roots and quotients are defined" in verdict.statement
    verdict, _ = exact(by_rtrl(lambda w, n: -w / n))
    assert verdict.status is Status.REFUTED and verdict.counterexample is not None


def on_residues(made: Any, network: Any) -> Evidence:
    return (
        Modular(sizes=(Sizes(9, 4, 2, 2),), most_settings=1)
        .gather(Case(as_rule(made), gradcheck.Exact(), network))
        .evidence
    )


def test_a_rule_that_uses_the_law_of_roots_is_compared_where_all_roots_exist() -> None:
    evidence = on_residues(by_rtrl(lambda w, n: w * n / (1 + w**2)), Normed())
    assert evidence.status is Status.HOLDS and evidence.strength is Strength.EXACT, evidence
    assert evidence.details["failure_bits"] >= modular.WANTED_BITS
    assert "as many as independent roots let expect" in evidence.statement  # the bound takes that for granted
    without = on_residues(by_rtrl(lambda w, n: w / n), Normed())
    assert without.status is Status.HOLDS and "independent roots" not in without.statement, without
    assert on_residues(by_rtrl(lambda w, n: w * n / (2 + w**2)), Normed()).status is Status.REFUTED


@pytest.mark.parametrize(
    ("name", "phi"),
    [("|s|", lambda s: np.sqrt(s**2)), ("roots that depend", lambda s: np.sqrt(s) * np.sqrt(s**3))],
    ids=["|s|", "roots that depend"],
)
def test_roots_that_depend_on_each_other_are_not_taken_for_free(
    name: str, phi: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are s where s is a square, so a rule with the slope of s would pass at half of all points."""
    monkeypatch.setitem(FUNCTIONS, name, elementwise(phi, lambda s: 1 + 0 * s, None))
    made = gradcheck.rule(networks=[Cell(name)])(lambda p: bptt(p, FUNCTIONS[name].pull))
    evidence = (
        Modular(sizes=(Sizes(2, 1, 1, 1),), most_settings=1)
        .gather(Case(as_rule(made), gradcheck.Exact(), Cell(name)))
        .evidence
    )
    assert evidence.status is not Status.HOLDS, evidence


@pytest.mark.usefixtures("brief")
def test_a_network_that_nothing_can_differentiate_is_named() -> None:
    """NumPy's floor has no derivative rule: no oracle, and the reason says so."""

    class Floored(Cell):
        def step(self, parameters: Any, state: Any, x: Any) -> Any:
            return np.floor(super().step(parameters, state, x))

    made = gradcheck.rule(gradcheck.Exact(), networks=[Floored("sqrt")])(lambda p: bptt(p, FUNCTIONS["sqrt"].pull))
    verdict, _ = exact(made)
    assert verdict.status is Status.NOT_RUN and "np.floor" in verdict.statement, verdict
