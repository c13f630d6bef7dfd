"""From float32 to float64 a right rule's error falls as rounding does; one that does not depend on the format stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from right_rules import by_numpy_at
from wrong_rules import as_black_box, made, wrong

from gradcheck.evidence.base import Case
from gradcheck.evidence.floats import float_ladder
from gradcheck.records import Status
from gradcheck.reference.claims import Exact, Truncated
from gradcheck.reference.network import Network
from gradcheck.rules.adapt import as_rule

RIGHT = made("right")


def judged(rule: Any, network: Any = None) -> Any:
    return float_ladder.FloatLadder().gather(Case(as_rule(rule, claims=[Exact()]), Exact(), network or Network()))


@pytest.mark.parametrize(
    "network", [Network(), Network("logistic", "logistic", "binary_cross_entropy"), Network("relu", "softmax")], ids=str
)
def test_a_right_rule_climbs(network: Any) -> None:
    finding = judged(RIGHT, network)
    assert finding.evidence.status is Status.HOLDS, finding.evidence
    agreement = finding.evidence.details["agreement"]
    assert agreement["float64"] > agreement["float32"] + 6, agreement
    assert finding.planted[0] and finding.planted[0] == finding.planted[1], finding.planted


@pytest.mark.parametrize("factor", [1 + 2.0**-30, 1 + 2.0**-22], ids=["2^-30", "2^-22"])
def test_an_error_that_does_not_depend_on_the_format_is_noticed(factor: float) -> None:
    """Both errors hide behind rounding at float32."""

    def rule(problem: Any) -> Any:
        found = RIGHT(problem)
        return {**found, "R": (found["R"].astype(np.float64) * factor).astype(found["R"].dtype)}

    finding = judged(rule)
    assert finding.evidence.status is Status.REFUTED, finding.evidence
    assert "does not fall with the format" in finding.evidence.statement
    assert finding.witness.dtype == "float64" and finding.witness.floats


def test_a_result_rounded_to_float32_does_not_climb() -> None:
    finding = judged(by_numpy_at("float32", answers="float64"))
    assert finding.evidence.status is Status.REFUTED, finding.evidence
    assert "does not fall with the format" in finding.evidence.statement


def test_an_error_beyond_both_formats_is_no_matter_of_rounding() -> None:
    finding = judged(wrong("scale-2"))
    assert finding.evidence.status is Status.REFUTED and "more than rounding" in finding.evidence.statement


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (as_black_box(RIGHT), "only one format to compare"),
        (by_numpy_at("float32", answers="float32"), "returns a coarser format"),
    ],
    ids=["casts up", "float32 alone"],
)
def test_one_rung_is_no_ladder(rule: Any, why: str) -> None:
    finding = judged(rule)
    assert finding.evidence.status is Status.NOT_RUN and why in finding.evidence.statement, finding.evidence


def test_a_rule_that_refuses_float32_has_no_ladder() -> None:
    def strict(problem: Any) -> Any:
        if problem.inputs.dtype != np.float64:
            raise TypeError("float64 only")
        return RIGHT(problem)

    assert judged(strict).evidence.status is Status.NOT_RUN


def test_other_claims_climb_too() -> None:
    from gradcheck.reference import lags

    claim = Truncated(3)
    case = Case(as_rule(lambda problem: lags.gradient(problem, claim.keeps), claims=[claim]), claim, Network())
    assert float_ladder.FloatLadder().gather(case).evidence.status is Status.HOLDS
