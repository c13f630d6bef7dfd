"""Backpropagation through time to the inputs and the initial state, beside the parameters.

delta(t) and the gradient of the parameters are those of `bptt`; then
    dL/dx(t) = W delta(t),  dL/da(0) = R delta(1)
for a layer or a network below that made the inputs, for an initial state that is learned or comes from an encoder, and
for input saliency.
On other networks, see `on_cells`.

Source: Werbos 1990, "Backpropagation through time: what it does and how to do it", whose ordered derivatives are those
of every quantity that comes before the loss, inputs and initial state among them.
Cost: O(I (I+K+D)) per step. Storage: O(T (I+K+D)), every activation of the sequence and the gradient of its inputs.
True of it: it is the gradient. dL/dx(t) needs the losses after t: not online.
"""

from __future__ import annotations

from gradcheck.reference.claims import Cost, Exact, rule
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Gradient

from .bptt import backpropagate
from .cells import or_on_any_cell
from .on_cells import bptt_to_inputs as on_any_cell
from .unfolding import unfold


@rule(
    Exact(of=("parameters", "inputs", "initial_state")),
    Cost(time="T*I*(I + K + D)", storage="T*(I + K + D) + I*(I + D + K)"),
    networks=ALL_NETWORKS,
    weighted=True,
)
@or_on_any_cell(on_any_cell)
def bptt_to_inputs(problem: Problem) -> Gradient:
    """Return the gradient of parameters, inputs and initial state by backpropagation through time (Werbos 1990)."""
    W, R, net = problem.parameters["W"], problem.parameters["R"], unfold(problem)
    delta = backpropagate(R, net.slope, net.d)
    return {**net.gradient(delta), "inputs": delta @ W.T, "initial_state": R @ delta[0]}
