"""Every shipped rule through the decorator that users get, on two networks that share no function.

`gradcheck report` judges them on all the networks that they declare, and test_algorithms.py compares them there.
"""

from __future__ import annotations

import pytest

import gradcheck
from gradcheck.algorithms import CATALOGUE
from gradcheck.rules.adapt import as_rule

RULES = [as_rule(rule, networks=as_rule(rule).declaration.networks[::29]) for rule in CATALOGUE]


@pytest.mark.slow
@gradcheck.parametrize(RULES, effort="quick")
def test_what_the_catalogue_claims_is_proved(verdict: gradcheck.Verdict) -> None:
    """Its results are; its costs are counted."""
    if verdict.claim not in ("pure", "stable"):
        wanted = gradcheck.Strength.EXACT if verdict.claim.startswith("cost") else gradcheck.Strength.PROVED
        assert verdict.strength is wanted, f"{verdict.claim} is {verdict.word}: {verdict.statement}"
