"""The rules, one per file. To add one, write its file and add it to `CATALOGUE`."""

from __future__ import annotations

from .artbp import artbp
from .bptt import bptt
from .bptt_to_inputs import bptt_to_inputs
from .chunked_bptt import chunked_bptt
from .descent import Descent, descend, risk_gradient
from .focused import Focused
from .forward_gradient import ForwardGradient
from .kf_rtrl import KFRTRL
from .kronecker_sum import OK, EvenSum
from .nobacktrack import NoBackTrack
from .online import OnlineRule, Rule, run_online, run_rule
from .reverse_kf_rtrl import ReverseKFRTRL
from .rtrl import RTRL
from .schmidhuber import Schmidhuber
from .truncated_bptt import truncated_bptt
from .uoro import UORO
from .windowed_bptt import windowed_bptt

CATALOGUE: tuple[Rule, ...] = (
    bptt, bptt_to_inputs, truncated_bptt, windowed_bptt, chunked_bptt, RTRL, Schmidhuber, Focused,
    UORO, NoBackTrack, KFRTRL, ReverseKFRTRL, EvenSum, artbp, ForwardGradient,
)  # fmt: skip

__all__ = [
    "CATALOGUE",
    "Descent",
    "EvenSum",
    "Focused",
    "ForwardGradient",
    "KFRTRL",
    "NoBackTrack",
    "OK",
    "OnlineRule",
    "RTRL",
    "ReverseKFRTRL",
    "Rule",
    "Schmidhuber",
    "UORO",
    "artbp",
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
