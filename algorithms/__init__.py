"""The rules, one per file. To add one, write its file and add it to `CATALOGUE`."""

from __future__ import annotations

from .adaptive_truncation import adaptive_truncation
from .artbp import artbp
from .bptt import bptt
from .bptt_passes import BPTTPasses
from .bptt_to_inputs import bptt_to_inputs
from .chunked_bptt import chunked_bptt
from .descent import Descent, descend, risk_gradient
from .diagonal_rtrl import DiagonalRTRL
from .dni import DNI
from .eprop import EProp, eprop_factorised
from .focused import Focused
from .forward_gradient import ForwardGradient
from .kernl import KeRNL
from .kf_rtrl import KFRTRL
from .kronecker_sum import OK, EvenSum
from .layered_rtrl import LayeredRTRL
from .nobacktrack import NoBackTrack
from .online import OnlineRule, Rule, run_online, run_rule
from .passes import PassesRule, run_passes
from .reverse_kf_rtrl import ReverseKFRTRL
from .rflo import RFLO
from .rtrl import RTRL
from .schmidhuber import Schmidhuber
from .snap import SnAp
from .sparse_rtrl import SparseRTRL
from .truncated_bptt import truncated_bptt
from .uoro import UORO
from .windowed_bptt import windowed_bptt

CATALOGUE: tuple[Rule, ...] = (
    bptt, BPTTPasses, bptt_to_inputs, truncated_bptt, windowed_bptt, chunked_bptt, RTRL, Schmidhuber, Focused,
    UORO, NoBackTrack, KFRTRL, ReverseKFRTRL, EvenSum, artbp, ForwardGradient,
    DiagonalRTRL, LayeredRTRL, SparseRTRL, SnAp, RFLO, EProp, eprop_factorised, KeRNL, DNI,
)  # fmt: skip

__all__ = [
    "CATALOGUE",
    "BPTTPasses",
    "DNI",
    "Descent",
    "DiagonalRTRL",
    "EProp",
    "EvenSum",
    "Focused",
    "ForwardGradient",
    "KFRTRL",
    "KeRNL",
    "LayeredRTRL",
    "NoBackTrack",
    "OK",
    "OnlineRule",
    "PassesRule",
    "RFLO",
    "RTRL",
    "ReverseKFRTRL",
    "Rule",
    "Schmidhuber",
    "SnAp",
    "SparseRTRL",
    "UORO",
    "adaptive_truncation",
    "artbp",
    "bptt",
    "bptt_to_inputs",
    "chunked_bptt",
    "descend",
    "eprop_factorised",
    "risk_gradient",
    "run_online",
    "run_passes",
    "run_rule",
    "truncated_bptt",
    "windowed_bptt",
]
