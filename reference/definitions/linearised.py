"""A problem linearised about its own trajectory: the Jacobians of each step, from the reverse pass."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import lags
from ..cotangents import CotangentSum
from ..problem import Problem
from ..typing import Array, Gradient


@dataclass(frozen=True)
class Linearised:
    """Rows belong to steps: row t - 1 is step t. Of networks whose state is one array, a unit's weights its own.

    Attributes:
        problem: The problem.
        errors: w_t dL_t/dstate(t), (T, I).
        own: dstate_j(t)/dTheta_mj of each parameter that a step uses, by name, (T, ..., I).
        readout: What the readouts' own use of parameters adds to the gradient.
        states: state(0), ..., state(T), (T + 1, I).
        signals: w_t dL_t/du(t), (T, K).
        unrolled: The reverse pass.
    """

    problem: Problem
    errors: Array
    own: Gradient
    readout: Gradient
    states: Array
    signals: Array
    unrolled: lags.Unrolled

    @functools.cached_property
    def jacobians(self) -> Array:
        """dstate(t)/dstate(t-1), (T, I, I); rows are of state(t)."""
        steps = range(1, self.T + 1)
        return np.stack([np.stack([self.unrolled.back(t, unit)[1] for unit in _units(self.errors[0])]) for t in steps])

    @property
    def T(self) -> int:
        return len(self.errors)

    def gradient(self, weights: Gradient) -> Gradient:
        """Return a gradient from that of the weights which steps use, with the share of the readouts."""
        return {
            name: self.readout[name] + weights[name] if name in weights else self.readout[name] for name in self.readout
        }


def linearise(problem: Problem) -> Linearised:
    """Return a problem's Jacobians; its state is one array, and each weight of a step enters one unit."""
    unrolled, T = lags.unroll(problem), problem.T
    readout = unrolled.zero()
    errors, own = list[Any](), list[Any]()
    for t in range(1, T + 1):
        uses, error = unrolled.enter(t)
        for name, part in uses.items():
            readout[name].add(*part.terms)
        errors.append(error)
        pulled, _ = unrolled.back(t, np.zeros_like(error) + 1)
        own.append({name: part.array() for name, part in pulled.items()})
    total = {name: CotangentSum.array(part) for name, part in readout.items()}
    stepped = [name for name in own[0] if name != "V" and name != "b_y"]
    return Linearised(
        problem,
        np.stack(errors),
        {name: np.stack([each[name] for each in own]) for name in stepped},
        total,
        np.stack([problem.initial_state, *unrolled.states]),
        np.stack(unrolled.errors),
        unrolled,
    )


def _units(like: Array) -> list[Array]:
    """Return the unit vectors of the size of a vector."""
    found = []
    for n in range(len(like)):
        unit = np.zeros_like(like)
        unit[n] = unit[n] + 1
        found.append(unit)
    return found
