"""Every oracle against every other, at 50, 100 and 200 digits; a wrong one is caught before any rule is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
from made_up import GatedLeaky
from plain_rules import good

import gradcheck
from gradcheck.evidence.preconditions import oracles
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Status
from gradcheck.reference import functions, precise, symbolic
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import ALL_CONTEXT_NETWORKS, ALL_NETWORKS, ContextNetwork, Network, Sizes
from gradcheck.reference.problem import Problem
from gradcheck.reference.scalars.precise import PreciseField

SEVERAL = (
    Network("tanh", "softmax", "categorical_cross_entropy"),
    Network("softplus", "logistic", "binary_cross_entropy"),
    Network("relu", "tanh"),
    ContextNetwork("logistic", "softmax"),
    GatedLeaky(),
)
ORACLES = {"reverse pass", "difference quotient", "dual numbers", "balls"}
"""Each is compared with SymPy's derivative."""


@pytest.fixture
def fresh() -> Iterator[None]:
    oracles.agreement.cache_clear()
    yield
    oracles.agreement.cache_clear()


def test_all_oracles_agree_to_within_5_digits_of_the_working_precision(capsys: pytest.CaptureFixture[str]) -> None:
    assert oracles.SPARE == 5
    lines = []
    for network in SEVERAL:
        size = Sizes(2, 2, 1, 2) if isinstance(network, (Network, ContextNetwork)) else Sizes(2, 1, 1, 1)
        for digits in (50, 100, 200):
            found = oracles.agreement(network, size, digits)
            lines.append(f"{network.name}, {network}: {found.statement}")
            assert set(found.digits) == ORACLES, lines[-1]
            assert found.holds and min(found.digits.values()) >= digits - 5, lines[-1]
    with capsys.disabled():
        print("\n" + "\n".join(lines))


@pytest.mark.parametrize("network", [*ALL_NETWORKS[::2], *ALL_CONTEXT_NETWORKS[::9]], ids=lambda n: f"{n.name}: {n}")
def test_all_oracles_agree_on_every_network(network: Any) -> None:
    found = oracles.agreement(network, Sizes(2, 1, 1, 2))
    assert found.holds and set(found.digits) == ORACLES, found.statement


def test_oracles_agree_where_entries_are_exactly_zero() -> None:
    problem = lively_problem(Network("relu"), Sizes(3, 2, 2, 2), 0, zero_state=True)
    found = oracles.agreement_on(problem.replace(inputs=problem.inputs * [[1, 0]]), 50)
    assert found.holds, found.statement


@pytest.mark.parametrize("factor", ["1." + 29 * "0" + "1", "-1", "2", "0", "nan", "inf"])
@pytest.mark.parametrize("oracle", ["difference_quotient", "recursion", "evaluated", "dual_gradient", "enclose"])
def test_a_wrong_oracle_is_told(oracle: str, factor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One entry of one oracle's answer is off."""
    with mpmath.workdps(60):
        scale = mpmath.mpf(factor)

    def spoil(gradient: Any) -> Any:
        entry = gradient["W"].reshape(-1)[0]
        if oracle == "enclose":
            gradient["W"].reshape(-1)[0] = type(entry)(entry.value * flint.arb(factor))
        elif hasattr(entry, "value"):
            gradient["W"].reshape(-1)[0] = type(entry)(entry.value * scale)
        else:
            gradient["W"].reshape(-1)[0] = entry * scale
        return gradient

    home = {"evaluated": symbolic, "dual_gradient": oracles, "enclose": oracles}.get(oracle, precise)
    right: Callable[..., Any] = getattr(home, oracle)

    def wrong(*args: Any, **kwargs: Any) -> Any:
        made = right(*args, **kwargs)
        if oracle == "enclose":
            with made.field.working():
                spoil(made.gradient)
            return made
        return spoil(made)

    monkeypatch.setattr(home, oracle, wrong)
    problem = lively_problem(Network(), Sizes(2, 1, 1, 1), 0)
    found = oracles.agreement_on(problem, 50)
    assert not found.holds, found.statement


def test_a_wrong_derivative_stops_the_audit(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """tanh' = 1 + tanh^2 in the table that the reverse pass and dual numbers read."""
    monkeypatch.setitem(functions.DERIVATIVES, "tanh", lambda s, _=None: 1 + functions.apply("tanh", s) ** 2)
    report = gradcheck.audit(good, effort="quick")
    stage = next(s for s in report.stages if s.name == "oracle agreement")
    assert stage.status is Status.REFUTED, stage
    exact = report.verdicts[-1]
    assert exact.status is Status.NOT_RUN and not report.passed
    assert "oracles" in exact.statement and "reverse pass" in exact.statement


def test_an_oracle_that_fails_stops_the_audit(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(problem: Problem, digits: int, of: Any) -> Any:
        raise GradcheckError("no quotient today")

    monkeypatch.setattr(precise, "difference_quotient", failing)
    report = gradcheck.audit(good, effort="quick")
    assert report.verdicts[-1].status is Status.NOT_RUN
    assert "no quotient today" in report.verdicts[-1].statement


def test_the_difference_quotient_knows_no_chain_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every stated derivative gone it still gives the gradient."""
    problem = lively_problem(Network("softplus"), Sizes(3, 2, 1, 1), 0)
    before = precise.difference_quotient(problem, 40)
    for name in list(functions.DERIVATIVES):
        monkeypatch.delitem(functions.DERIVATIVES, name)
    after = precise.difference_quotient(problem, 40)
    assert precise.digits_of_agreement(before, after) == float("inf")
    with pytest.raises(GradcheckError, match="KeyError"):
        precise.recursion(problem, 40)


@pytest.mark.slow
def test_what_is_evaluated_is_the_derivative_of_the_whole_expression() -> None:
    for network in (Network("softplus", "softmax", "categorical_cross_entropy"), Network("relu"), ContextNetwork()):
        problem = lively_problem(network, Sizes(3, 2, 1, 2), 0)
        field = PreciseField(60)
        with field.working():
            walked = symbolic.evaluated(problem.over(field), field)
            compiled = symbolic.numpy_function(network, problem.sizes, "mpmath")
            assert precise.digits_of_agreement(walked, compiled(problem.over(field))) > 55


def test_digits_of_agreement_never_count_what_is_no_number() -> None:
    one = {"R": np.array([mpmath.mpf(1)])}
    for value in ("nan", "inf", "-inf"):
        assert precise.digits_of_agreement(one, {"R": np.array([mpmath.mpf(value)])}) == float("-inf")
    with pytest.raises(GradcheckError, match="different parameters"):
        precise.digits_of_agreement(one, {"W": one["R"]})
