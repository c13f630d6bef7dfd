"""The rules, one per file. To add one, write its file and add it to `CATALOGUE`."""

from __future__ import annotations

from .bptt import bptt
from .bptt_to_inputs import bptt_to_inputs
from .chunked_bptt import chunked_bptt
from .descent import Descent, descend, risk_gradient
from .focused import Focused
from .online import OnlineRule, Rule, run_online, run_rule
from .rtrl import RTRL
from .schmidhuber import Schmidhuber
from .truncated_bptt import truncated_bptt
from .windowed_bptt import windowed_bptt

CATALOGUE: tuple[Rule, ...] = (
    bptt, bptt_to_inputs, truncated_bptt, windowed_bptt, chunked_bptt, RTRL, Schmidhuber, Focused,
)  # fmt: skip

__all__ = [
    "CATALOGUE",
    "Descent",
    "Focused",
    "OnlineRule",
    "RTRL",
    "Rule",
    "Schmidhuber",
    "bptt",
    "bptt_to_inputs",
    "chunked_bptt",
    "descend",
    "risk_gradient",
    "run_online",
    "run_rule",
    "truncated_bptt",
    "windowed_bptt",
]
