"""The lecture's equations as functions: the left side, the right side as printed, and the right side corrected.

The left side is the true value, nearly always a derivative of the forward pass. A judge compares what the right
side names with the same names on the left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import backward_formulas as bptt
from . import online_formulas as rtrl
from .printed import Sides


@dataclass(frozen=True)
class Formula:
    """left: the true value. printed, corrected: right sides. family: of `quantities.FAMILIES`."""

    left: Callable[[Any], Sides]
    printed: Callable[[Any], Sides]
    corrected: Callable[[Any], Sides] | None = None
    family: str = "undefined"


FORMULAS: dict[str, Formula] = {
    "dV-sum": Formula(bptt.left_dV, bptt.dV_by_time),
    "yhat-component": Formula(bptt.left_yhat, bptt.yhat_component),
    "dV-chain": Formula(bptt.left_dV, bptt.dV_chain),
    "dyhat-cross": Formula(bptt.left_cross, bptt.cross_is_zero),
    "dV-component": Formula(bptt.left_dV, bptt.dV_component),
    "least-squares": Formula(bptt.left_error, bptt.error_is_difference, family="half squared error"),
    "dyhat-sum": Formula(bptt.left_own, bptt.own_without_g, bptt.own_corrected),
    "dyhat-own": Formula(bptt.left_own, bptt.own_of_activation, bptt.own_corrected),
    "yhat-linear": Formula(bptt.left_yhat, bptt.yhat_linear, bptt.yhat_component),
    "dV-matrix": Formula(bptt.left_dV, bptt.dV_printed, bptt.dV_corrected),
    "delta-definition": Formula(bptt.left_delta, bptt.delta_by_activation),
    "delta-next": Formula(bptt.left_delta, bptt.delta_by_next),
    "delta-output": Formula(bptt.left_delta, bptt.delta_by_output),
    "delta-recursion": Formula(bptt.left_delta, bptt.delta_recursion),
    "delta-range": Formula(bptt.left_delta, bptt.delta_to_zero, bptt.delta_recursion),
    "copies": Formula(bptt.left_shared, bptt.sum_over_copies),
    "dR-chain": Formula(bptt.left_dR, bptt.dR_chain),
    "dR-unit": Formula(bptt.left_dR, bptt.dR_unit_printed, bptt.dR_unit_corrected),
    "dR-component": Formula(bptt.left_dR, bptt.dR_printed, bptt.dR_corrected),
    "dW-component": Formula(bptt.left_dW, bptt.dW_printed, bptt.dW_corrected),
    "summary-dW": Formula(bptt.left_dW, bptt.dW_printed, bptt.dW_corrected),
    "summary-dR": Formula(bptt.left_dR, bptt.dR_same_time, bptt.dR_corrected),
    "summary-dV": Formula(bptt.left_dV, bptt.dV_printed, bptt.dV_corrected),
    "s-component": Formula(rtrl.left_s, rtrl.s_printed, rtrl.s_corrected),
    "ds-dR-sum": Formula(rtrl.left_influence, rtrl.ds_dR_by_activations),
    "ds-dR": Formula(rtrl.left_influence, rtrl.ds_dR_recursion),
    "ds-dW-sum": Formula(rtrl.left_influence, rtrl.ds_dW_by_activations),
    "ds-dW": Formula(rtrl.left_influence, rtrl.ds_dW_recursion),
    "start-s": Formula(rtrl.left_start, rtrl.start_of_s, rtrl.influence_from_zero),
    "start-derivatives": Formula(rtrl.left_start, rtrl.influence_from_zero),
    "da-dR": Formula(rtrl.left_da, rtrl.da_dR),
    "loss-dR-chain": Formula(rtrl.left_loss_dR, rtrl.loss_dR_chain),
    "loss-dR": Formula(rtrl.left_loss_dR, rtrl.loss_dR_printed, rtrl.loss_dR_corrected),
    "readout": Formula(rtrl.left_loss_dR, rtrl.loss_dR_printed, family="activations as outputs"),
}
"""Row to equation; the other rows of `STATEMENTS` are no equations between arrays."""
