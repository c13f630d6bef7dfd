"""Targets that are not the gradient, and are found to differ from it."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from gradcheck.algorithms import bptt, truncated_bptt
from gradcheck.evidence.base import Case
from gradcheck.evidence.differs import Differs
from gradcheck.records import Status
from gradcheck.reference.claims import Equals
from gradcheck.reference.network import Network
from gradcheck.rules.adapt import as_rule


@pytest.mark.parametrize(
    ("target", "status"), [(functools.partial(truncated_bptt, tau=12), Status.HOLDS), (bptt, Status.REFUTED)]
)
def test_a_target_that_differs_on_long_sequences_alone_is_told_from_the_gradient(target: Any, status: Status) -> None:
    claim = Equals(target, differs=True)
    case = Case(as_rule(target, claims=[claim]), claim, Network("tanh"))
    assert Differs().gather(case).evidence.status is status
