"""The gradient that the `autograd` package computes from the forward pass.

pip install autograd
gradcheck audit examples/autograd_package.py:autograd_rnn
"""

import autograd
import autograd.numpy as anp

import gradcheck


@gradcheck.rule(gradcheck.Exact())
def autograd_rnn(problem):
    """autograd.grad of the forward pass."""

    def loss(parameters):
        a, total = problem.initial_state, 0.0
        for x, y in zip(problem.inputs, problem.targets, strict=True):
            a = anp.tanh(anp.dot(x, parameters["W"]) + anp.dot(a, parameters["R"]))
            total = total + 0.5 * anp.sum((anp.dot(a, parameters["V"]) - y) ** 2)
        return total

    return autograd.grad(loss)(dict(problem.parameters))
