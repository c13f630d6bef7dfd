"""Faults of the local rules: masks, eligibility traces, feedback, synthetic gradients, and complex traces."""

from __future__ import annotations

from ..reference.network import RTU, Leaky
from ..reference.networks.base import RecurrentNetwork
from .fault import Fault
from .patched import Change

_UPDATED = "M = mask * (_carried(units, now, M) + _immediate(units, now))\n"


def _fault(
    id: str,
    effect: str,
    base: str,
    old: str,
    new: str,
    *networks: RecurrentNetwork,
    values: bool = False,
    seen: str = "",
) -> Fault:
    module = "eprop" if base.startswith("eprop") else base
    module = "turning" if "polar" in old or "shrinking" in old else module
    return Fault(id, "local", effect, base, (Change(module, old, new),), seen, networks=networks, values=values)


FAULTS = (
    _fault(
        "snap-masked-by-values",
        "The mask loses what is 0 at a step, for good: with a state that starts from zeros, all of R.",
        "snap",
        _UPDATED, "mask = mask * (_carried(units, now, M) + _immediate(units, now) != 0)\n        " + _UPDATED,
        Leaky(leak=0.25, initial_state="zeros"), values=True,
    ),
    _fault(
        "snap-one-hop-too-few",
        "The mask has what is reached within n - 2 connections; right at n = 1.",
        "snap",
        "for _ in range(n - 1):", "for _ in range(n - 2):",
    ),
    _fault(
        "snap-one-hop-too-many",
        "The mask has what is reached within n connections; right where n - 1 reach all.",
        "snap",
        "for _ in range(n - 1):", "for _ in range(n):",
    ),
    _fault(
        "trace-of-another-leak",
        "The trace decays by 1 - alpha/2 a step, where the units decay by 1 - alpha.",
        "rflo",
        "E = (1 - units.leak) * E", "E = (1 - units.leak / 2) * E",
    ),
    _fault(
        "trace-leak-exchanged",
        "alpha and 1 - alpha are exchanged in the trace.",
        "rflo",
        "E = (1 - units.leak) * E + now.u[:, None] * (units.leak * now.slope)",
        "E = units.leak * E + now.u[:, None] * ((1 - units.leak) * now.slope)",
    ),
    _fault(
        "trace-without-the-leak",
        "What enters the trace lacks the factor alpha, as if the unit took its input whole.",
        "rflo",
        "now.u[:, None] * (units.leak * now.slope)", "now.u[:, None] * now.slope",
        seen="Bellec et al. 2020 write voltages without the factor, which is right for their units alone",
    ),
    _fault(
        "trace-slope-late",
        "The whole trace is multiplied by the slope of the step, where each input had that of its own.",
        "rflo",
        "now.u[:, None] * (units.leak * now.slope)\n        return Traces(units, now.state, feedback, E), "
        "units.contribution(E * (feedback @ now.e), now)",
        "now.u[:, None] * units.leak\n        return Traces(units, now.state, feedback, E), "
        "units.contribution(E * now.slope * (feedback @ now.e), now)",
    ),
    _fault(
        "feedback-reshaped",
        "The feedback is read in the order of its transpose: V by rows where its columns belong.",
        "rflo",
        "(feedback @ now.e)", "(feedback.reshape(feedback.shape[::-1]).T @ now.e)",
    ),
    _fault(
        "eprop-trace-one-step-late",
        "The learning signal meets the trace before the step's input entered it.",
        "eprop",
        "return eps, read * eps", "return eps, read * (eps - now.u[:, None] * enters)",
    ),
    _fault(
        "eprop-slope-in-the-trace",
        "Potentials carry f' within the trace, where it belongs to the step at which the trace is read.",
        "eprop",
        "now.u[:, None] * enters\n    return eps, read * eps", "now.u[:, None] * enters * read\n    return eps, eps",
    ),
    _fault(
        "eprop-signal-of-now",
        "Claimed exact, but the learning signal is that of the step's own loss.",
        "eprop_factorised",
        "signal = V @ now.e + R @ through_R", "signal = V @ now.e",
    ),
    _fault(
        "sensitivity-transposed",
        "The sensitivity is read from j to k where it is from k to j.",
        "kernl",
        "A.T @ (", "A @ (",
    ),
    _fault(
        "signal-of-the-blocks-start",
        "The synthetic gradient is predicted from the state at the block's start.",
        "dni",
        "self.signal(state.C, state.t, state.h)", "self.signal(state.C, state.t, state.first)",
    ),
    _fault(
        "predictor-stale",
        "The predictor never gets what it learned: each block sees the first guess.",
        "dni",
        "state._replace(C=C, first", "state._replace(first",
    ),
    _fault(
        "signal-past-the-end",
        "The last block gets a synthetic gradient too, though no loss follows it.",
        "dni",
        "_sent_back(state, np.zeros_like(state.h))", "_sent_back(state, predicted(state.C, state.t, state.h))",
    ),
    _fault(
        "block-leaks-into-the-next",
        "A block's last step is the first of the next too, so its error leaks through the boundary.",
        "dni",
        "first=state.h, steps=()", "first=state.h, steps=state.steps[-1:]",
    ),
    _fault(
        "last-short-block-dropped",
        "Steps after the last whole block add nothing.",
        "dni",
        "[0] if state.steps else None", "[0] if state.steps and not state.C.size else None",
    ),
    _fault(
        "pattern-transposed",
        "The connections are taken from column to row, so weights that exist are left out, and others get a gradient.",
        "sparse_rtrl",
        'mask_of(units.network, "R", (n, n))', 'mask_of(units.network, "R", (n, n)).T',
    ),
    _fault(
        "conjugate-missing",
        "The error is multiplied without its conjugate: the imaginary parts count with the wrong sign.",
        "diagonal_rtrl",
        "c[0] * re + c[1] * im for", "c[0] * re - c[1] * im for",
    ),
    _fault(
        "modulus-without-its-chain",
        "nu gets the derivative in lambda, without the factor -exp(nu) of its exponential.",
        "diagonal_rtrl",
        "(-shrinking * re, -shrinking * im)", "(re, im)",
    ),
    _fault(
        "input-scale-without-chain",
        "nu misses what it does through gamma = sqrt(1 - r^2).",
        "diagonal_rtrl",
        '"nu": (polar.of_nu, of_nu)', '"nu": (polar.of_nu, 0 * of_nu)',
        RTU(),
    ),
    Fault(
        "trace-divided-by-the-slope", "local",
        "The slope is divided out and multiplied again: 0/0 where a unit saturates.",
        "rflo", (Change("rflo", "(units.leak * now.slope)", "(units.leak * now.slope * now.slope / now.slope)"),),
        breaks="stable", values=True, found_by="stable",
    ),
)  # fmt: skip
