"""Gradient of an Elman network by products of step Jacobians, J(t) = dh(t)/dh(t-1), by hand.

    dL(t)/dh(k) = J(k+1)^T ... J(t)^T dL(t)/dh(t): the Jacobian of the last step comes first

Source: Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks", equation 5.
"""

from __future__ import annotations

import numpy as np

from ...reference.claims import Exact, rule
from ...reference.networks.simple import Elman
from ...reference.problem import Problem
from ...reference.typing import Gradient
from .elman import Simple
from .unrolled import add, output_error


@rule(Exact(), networks=[Elman()], weighted=True)
def jacobians(problem: Problem) -> Gradient:
    """Return the gradient of an Elman network, loss by loss, by products of step Jacobians."""
    net, p, cell, h = problem.network, problem.parameters, Simple(), problem.initial_state
    total, kept, J = {name: np.zeros_like(array) for name, array in p.items()}, [], []
    for t, x in enumerate(problem.inputs):
        h, of_step = cell.forward(net, p, h, x)
        kept.append(of_step)
        J.append(net.activation.derivative(of_step[2])[:, None] * p["R"].T)  # type: ignore[attr-defined]
        e = problem.loss_weights[t] * output_error(problem, h, t)
        parts, dh = cell.read_back(net, p, h, e)
        add(total, parts)
        product = np.eye(len(h)) * (1 + np.zeros_like(p["R"]))
        for k in reversed(range(t + 1)):
            parts, _, _ = cell.backward(net, p, kept[k], product.T @ dh)
            add(total, parts)
            product = product @ J[k]
    return total
