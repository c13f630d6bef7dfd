"""Every shipped rule, on every network that it declares, through the decorator that users get."""

from __future__ import annotations

import gradcheck
from gradcheck.algorithms import CATALOGUE


@gradcheck.parametrize(CATALOGUE, effort="quick")
def test_what_the_catalogue_claims_is_proved(verdict: gradcheck.Verdict) -> None:
    if verdict.claim != "pure":
        assert verdict.strength is gradcheck.Strength.PROVED, (
            f"{verdict.claim} is only {verdict.word}: {verdict.statement}"
        )
