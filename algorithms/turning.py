"""Eigenvalues and readouts of units that turn: LRUs, in both parametrisations, and RTUs, with their derivatives.

Complex numbers are pairs of real ones. With r = |lambda| and lambda = exp(-exp(nu) + i exp(theta)):
    dlambda/dnu = -exp(nu) lambda,  dlambda/dtheta = i exp(theta) lambda
    dgamma/dlog_gamma = gamma of LRUs;  gamma = sqrt(1 - r^2) and dgamma/dnu = exp(nu) r^2 / gamma of RTUs

Source: Orvieto et al. 2023, "Resurrecting recurrent neural networks for long sequences"; Elelimy, White, Bowling and
White 2024, "Real-time recurrent learning using trace units in reinforcement learning".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.functions import apply
from gradcheck.reference.lags import output_error
from gradcheck.reference.network import LRU, RTU
from gradcheck.reference.typing import Array, Gradient, Parameters

Pair = tuple[Any, Any]
"""Real and imaginary part."""


class Turning(NamedTuple):
    """A layer's eigenvalues: lambda as a pair, gamma, and the derivatives of both by the name of a weight."""

    eigenvalue: Pair
    gamma: Any
    chain: dict[str, tuple[Pair, Any]]


def halved(error: Array) -> Pair:
    """Return an error on [re; im] as a pair."""
    n = len(error) // 2
    return error[:n], error[n:]


def times(a: Pair, b: Pair) -> Pair:
    """Return the product of two complex numbers."""
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def _cartesian(weights: Parameters) -> Turning:
    one = np.ones_like(weights["lambda_re"])
    chain = {"lambda_re": ((one, 0), 0), "lambda_im": ((0, one), 0)}
    return Turning((weights["lambda_re"], weights["lambda_im"]), one, chain)


class _Polar(NamedTuple):
    """lambda of polar eigenvalues, its modulus, exp(nu), and the derivatives in nu and theta."""

    eigenvalue: Pair
    size: Any
    shrinking: Any
    of_nu: Pair
    of_theta: Pair


def _polar(weights: Parameters) -> _Polar:
    shrinking, angle = apply("exp", weights["nu"]), apply("exp", weights["theta"])
    size = apply("exp", -shrinking)
    re, im = size * apply("cos", angle), size * apply("sin", angle)
    return _Polar((re, im), size, shrinking, (-shrinking * re, -shrinking * im), (-angle * im, angle * re))


def _polar_lru(weights: Parameters) -> Turning:
    polar, gamma = _polar(weights), apply("exp", weights["log_gamma"])
    chain = {"nu": (polar.of_nu, 0), "theta": (polar.of_theta, 0), "log_gamma": ((0, 0), gamma)}
    return Turning(polar.eigenvalue, gamma, chain)


def _polar_rtu(weights: Parameters) -> Turning:
    polar = _polar(weights)
    gamma = apply("sqrt", 1 - polar.size * polar.size)
    of_nu = polar.shrinking * polar.size * polar.size / gamma
    return Turning(polar.eigenvalue, gamma, {"nu": (polar.of_nu, of_nu), "theta": (polar.of_theta, 0)})


TURNINGS = {(LRU, "cartesian"): _cartesian, (LRU, "polar"): _polar_lru, (RTU, "polar"): _polar_rtu}


def _of_complex(net: Any, parameters: Parameters, z: Pair, y: Array, weight: Any) -> tuple[Gradient, Pair]:
    V_re, V_im = parameters["V_re"], parameters["V_im"]
    e = weight * output_error(net, V_re.T @ z[0] - V_im.T @ z[1], y)
    return {"V_re": np.outer(z[0], e), "V_im": -np.outer(z[1], e)}, (V_re @ e, -(V_im @ e))


def of_parts(net: Any, parameters: Parameters, z: Pair, y: Array, weight: Any) -> tuple[Gradient, Pair]:
    """Return the contribution of a readout that reads [re; im], and the error on z."""
    shown = np.concatenate(z)
    e = weight * output_error(net, parameters["V"].T @ shown, y)
    return {"V": np.outer(shown, e)}, halved(parameters["V"] @ e)


READOUTS = {LRU: _of_complex, RTU: of_parts}
