"""Every shipped rule through the decorator that users get, on two networks that share no function.

`gradcheck report` judges them on all the networks that they declare, and test_algorithms.py compares them there.
"""

from __future__ import annotations

import pytest

import gradcheck
from gradcheck.algorithms import CATALOGUE
from gradcheck.rules.adapt import as_rule

RULES = [as_rule(rule, networks=as_rule(rule).declaration.networks[::29]) for rule in CATALOGUE]
COUNTING = [rule for rule in RULES if rule.name == "DNI"]
"""Rules whose state counts the steps, for which no induction over the steps is found."""


@pytest.mark.slow
@gradcheck.parametrize([rule for rule in RULES if rule not in COUNTING], effort="quick")
def test_what_the_catalogue_claims_is_proved(verdict: gradcheck.Verdict) -> None:
    """Its results are; its costs are counted."""
    require(verdict, gradcheck.Strength.PROVED)


@pytest.mark.slow
@gradcheck.parametrize(COUNTING, effort="quick")
def test_what_counts_its_steps_is_proved_but_for_being_online(verdict: gradcheck.Verdict) -> None:
    require(verdict, gradcheck.Strength.CERTIFIED if verdict.claim == "online" else gradcheck.Strength.PROVED)


def require(verdict: gradcheck.Verdict, wanted: gradcheck.Strength) -> None:
    """Require a strength of a verdict on results; costs are counted."""
    if verdict.claim not in ("pure", "stable"):
        wanted = gradcheck.Strength.EXACT if verdict.claim.startswith("cost") else wanted
        assert verdict.strength is wanted, f"{verdict.claim} is {verdict.word}: {verdict.statement}"
