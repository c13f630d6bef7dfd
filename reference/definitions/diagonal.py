"""Definition of diagonal RTRL in layers: lags within a layer, and the layers above at the time of the loss alone.

    dTheta_l = sum over t and k of c_l(t)^T J_l(t) ... J_l(t-k+1) dz_l(t-k)/dTheta_l
where J_l(t) = dz_l(t)/dz_l(t-1) and the derivative in Theta_l hold the layer's input fixed, and c_l(t) is the error of
loss t on z_l(t) through the layers above at time t, their states before it held fixed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cotangents import CotangentSum
from ..lags import output_error
from ..problem import Problem, map_state
from ..tape import vjp
from ..tree import map_nest
from ..typing import Gradient


def diagonal(problem: Problem) -> Gradient:
    """Return diagonal RTRL in layers by its definition.

    Source: Zucchet, Meier, Schug, Mujika and Sacramento 2023, "Online learning of long-range dependencies", section 3;
    Irie, Gopalakrishnan and Schmidhuber 2024, "Exploring the promise and limits of real-time recurrent learning".

    Args:
        problem: A problem on a `Stacked` network without residual layers.
    """
    net: Any = problem.network
    total = {name: np.zeros_like(array) for name, array in problem.parameters.items()}
    passed: list[list[Any]] = [[] for _ in net.layers]
    states = problem.initial_state
    for x, y, weight in zip(problem.inputs, problem.targets, problem.loss_weights, strict=True):
        after, seen, to_input = [], x, []
        for number, (layer, state) in enumerate(zip(net.layers, states, strict=True)):
            own = {name: problem.parameters[f"layer{number}.{name}"] for name in layer.weights(1, 1)}
            now, pull = vjp(layer.step, own, state, seen)
            shown, show = vjp(layer.hidden, now)
            passed[number].append(pull)
            to_input.append((pull, show))
            after.append(now)
            seen = shown
        states = tuple(after)
        u, read = vjp(net.readout, problem.parameters, states)
        readout, errors = read(weight * output_error(net, u, y))
        for name, array in readout.items():
            total[name] = total[name] + array
        error = errors[-1]
        for number in reversed(range(len(net.layers))):
            _add_lags(total, number, passed[number], error)
            if number:
                onto_input = to_input[number][0](error)[2]
                (error,) = to_input[number - 1][1](onto_input)
    return total


def _add_lags(total: Gradient, number: int, pulls: list[Any], error: Any) -> None:
    """Add what a loss says of a layer's weights at all lags, by products with the layer's own Jacobians."""
    row = map_state(lambda array: array, error)
    for pull in reversed(pulls):
        weights, row, _ = pull.terms(row)
        row = map_nest(CotangentSum.array, row)
        for name, part in weights.items():
            key = f"layer{number}.{name}"
            total[key] = total[key] + part.array()
