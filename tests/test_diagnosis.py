"""What a diagnosis says of wrong rules, generic and as black boxes, and what it must not say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_up import GatedLeaky
from wrong_rules import SOURCE, WRONG, WRONG_ON_FLOATS, as_black_box, made

from gradcheck import diagnosis
from gradcheck.diagnosis import decomposition, diagnose, factors
from gradcheck.diagnosis.points import ground, matched
from gradcheck.evidence import Case
from gradcheck.evidence.target import expected
from gradcheck.problems import lively_problem
from gradcheck.reference.claims import Claim, Exact, Truncated
from gradcheck.reference.network import Network, Sizes
from gradcheck.rules import as_rule

SEEN = Sizes(4, 2, 1, 1)
BOTH = pytest.mark.parametrize("kind", [lambda rule: rule, as_black_box], ids=["generic", "black box"])


def told(rule: Any, claim: Claim | None = None, network: Any = None, seen: Sizes = SEEN) -> str:
    network = network or Network()
    case = Case(as_rule(rule), claim or Exact(), network)
    return diagnose(case, {}, lively_problem(network, seen, 0)) or ""


FACTS = {
    "dR transposed": "R equals the transpose of the reference",
    "scale 2": "W equals the reference but for the factor 2; R equals the reference but for the factor 2",
    "mean over T": "R equals the reference but for the factor 1/T",
    "a sign": "V equals the reference but for its sign",
    "rows permuted": "R equals the reference with its rows in reverse order",
    "truncated at 1": "W counts the lags up to 0 exactly, and none beyond",
    "truncated at T - 1": "R counts the lags up to T-2 exactly, and none beyond",
    "longest lag missing": "every path but those that lead from step 2 back to step 1",
    "first step missing": "W counts the parameters' use at step 1 not at all",
    "last step missing": "V counts the loss at step T not at all",
    "loss at the last step only": "W counts the loss at every step but step T not at all",
    "initial state left out of dR": "R counts the parameters' use at step 1 not at all",
    "wrong if T > I": "It is wrong just where T > I",
    "wrong if T is even": "It is wrong just where T is even",
    "wrong if K = 1": "It is wrong just where K = 1",
    "wrong if D > I": "It is wrong just where D > I",
}


@pytest.mark.parametrize("name", FACTS)
def test_what_a_wrong_result_is_instead(name: str) -> None:
    said = told(made(name, WRONG[name]))
    assert FACTS[name] in said, said


@pytest.mark.parametrize("name", ["dR transposed", "mean over T", "truncated at 1", "wrong if K = 1"])
def test_the_same_is_found_on_floats(name: str) -> None:
    said = told(as_black_box(made(name, WRONG[name])))
    assert FACTS[name] in said, said


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("wrong where an input row is 0", "one-hot inputs and steps without input"),
        ("wrong where a unit saturates", "saturated and inactive units"),
        ("clipped result at 5", "a large gradient"),
        ("NaN turned to 0 and small dropped", "a small gradient"),
    ],
)
def test_on_which_numbers_a_rule_is_wrong(name: str, where: str) -> None:
    said = told(made(name, WRONG_ON_FLOATS[name]))
    assert said.startswith("It is right on generic numbers, and wrong on: ") and where in said, said


RETURNED = 'return {"W": dW, "R": dR, "V": dV}'


def changed(*changes: tuple[str, str]) -> Any:
    """Plain BPTT with several replacements."""
    source = SOURCE
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    space: dict[str, Any] = {"np": np, "KEPT": {}}
    exec(source, space)
    return space["rule"]


@pytest.mark.parametrize("name", ["truncated at 1", "loss at the last step only", "longest lag missing"])
def test_what_is_nearly_a_fact_is_not_said(name: str) -> None:
    """One entry of W and of R is off besides: no sentence about the whole of them may remain."""
    more = f"dW = 1 * dW; dW[0, 0] = dW[0, 0] * 3\n    dR = 1 * dR; dR[0, 0] = dR[0, 0] * 3\n    {RETURNED}"
    said = told(changed(WRONG[name], (RETURNED, more)))
    assert "counts" not in said and "equals" not in said, said


@BOTH
def test_a_right_rule_has_no_diagnosis(kind: Callable[[Any], Any]) -> None:
    assert told(kind(made("right"))) == ""


@BOTH
def test_what_matches_nothing_is_described(kind: Callable[[Any], Any]) -> None:
    said = told(kind(changed((RETURNED, f"dR = 1 * dR; dR[0] = dR[0] * dR[0] + 1\n    {RETURNED}"))))
    assert said == "It is wrong in R in the first row; W and V are right."


def test_a_claim_about_lags_is_the_measure() -> None:
    """Full BPTT is no truncation: what it counts too much is said against the claim, not against the gradient."""
    said = told(made("full"), Truncated(2))
    assert "W counts every lag, those that the claim leaves out too" in said, said
    shorter = told(made("truncated at 1", WRONG["truncated at 1"]), Truncated(2))
    assert "W counts the lags up to 0 exactly, and none beyond" in shorter, shorter


def test_a_network_made_up_outside() -> None:
    network = GatedLeaky()
    rule = as_rule(lambda problem: {n: 2 * a for n, a in expected(Exact(), problem).items()}, networks=[network])
    said = diagnose(Case(rule, Exact(), network), {}, lively_problem(network, SEEN, 0)) or ""
    assert said.count("equals the reference but for the factor 2") == len(network.parameter_shapes(SEEN)), said


def test_points_tell_a_candidate_from_one_that_is_off_in_one_path() -> None:
    rule = made("truncated", WRONG["truncated at 1"])
    for kind in (rule, as_black_box(rule)):
        case = Case(as_rule(kind), Exact(), Network())
        found = ground(case, {}, lively_problem(Network(), SEEN, 0))
        assert found is not None and set(found.wrong) == {"W", "R"}
        assert found.matched(lambda problem: expected(Truncated(1), problem)) == {"W", "R", "V"}
        assert found.matched(lambda problem: expected(Truncated(2), problem)) == {"V"}
        assert matched(found.points, lambda problem: 1 / 0) == set()  # type: ignore[arg-type, return-value]


def test_coefficients_are_solved_for_and_checked() -> None:
    case = Case(as_rule(made("last step missing", WRONG["last step missing"])), Exact(), Network())
    found = ground(case, {}, lively_problem(Network(), SEEN, 0))
    assert found is not None
    sums = decomposition.decompose(found, "R")
    assert sums is not None and all(
        value == (0 if t == T else 1) for T, c in sums.items() for (t, _), value in c.items()
    )
    assert factors.transformation(found, "R") is None
    assert diagnosis.decomposition.sentence(sums, Exact(), "R") == "R counts the loss at step T not at all"
