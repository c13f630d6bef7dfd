"""Sizes that a slow rule is spared are predicted from growth, and named."""

import pytest

from gradcheck.evidence.base import Case
from gradcheck.evidence.budget import Budget
from gradcheck.evidence.exact import enclosure
from gradcheck.reference.claims import Exact
from gradcheck.reference.network import DEFAULT_NETWORK, Sizes
from gradcheck.rules.adapt import as_rule

FIRST, SECOND, LARGE = Sizes(9, 5, 2, 2), Sizes(12, 12, 2, 2), Sizes(50, 32, 3, 2)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def _after(power, *, scale=1e-2):
    """A budget that has seen two sizes of a rule that takes scale T I^power seconds."""
    budget = Budget(seconds=3000)
    for size in (FIRST, SECOND):
        budget.record(size, scale * size.T * size.I**power)
    return budget


@pytest.mark.parametrize("power", [1, 2, 3, 4])
def test_the_growth_that_was_seen_is_carried_on(power):
    predicted, true = _after(power).predicted(LARGE), 1e-2 * LARGE.T * LARGE.I**power
    assert predicted == pytest.approx(true, rel=1e-9), f"T I^{power} is predicted as {predicted} s, truly {true} s"


def test_a_quick_rule_is_spared_nothing_and_a_slow_one_the_large_size():
    quick, slow = _after(2), _after(4)
    assert quick.affords(LARGE) and quick.remark == ""
    assert not slow.affords(LARGE)
    assert "too slow here for T=50, I=32" in slow.remark, slow.remark


def test_sizes_with_nearly_as_many_units_do_not_decide_the_growth():
    """A hiccup between I = 9 and I = 12 would be taken for I^10."""
    budget = Budget(seconds=45)
    for size, seconds in ((FIRST, 0.02), (Sizes(12, 9, 1, 1), 0.02), (SECOND, 0.4)):
        budget.record(size, seconds)
    assert budget.predicted(LARGE) < 0.4 * (50 / 12) * (32 / 12) ** 4, budget.predicted(LARGE)


def test_the_first_size_is_always_tried():
    assert Budget(seconds=0).affords(LARGE)


def test_a_verdict_names_only_the_sizes_that_were_reached():
    from gradcheck.algorithms import bptt

    clock = Clock()
    budget = Budget(seconds=1, clock=clock)

    def ticking(text):
        clock.now += 0.9 if "T=9" in text else 0.0

    case = Case(as_rule(bptt), Exact(), DEFAULT_NETWORK)
    finding = enclosure.Enclosure(sizes=(FIRST, LARGE), budget=budget).gather(case, progress=ticking)
    assert finding.evidence.scope == "T=9, I=5, D=2, K=2 (too slow here for T=50, I=32, D=3, K=2)"
