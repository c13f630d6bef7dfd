"""Stochastic rules, right and wrong, on the fully recurrent network."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

import gradcheck
from gradcheck.reference.noise import Noise
from gradcheck.reference.problem import Problem


def estimate(problem: Problem, draw: Callable[[Any], Any], r0: Any = 1, r1: Any = 1, wrong_r1: Any = None) -> Any:
    """Estimate the gradient by UORO (Tallec & Ollivier 2017), with constant scalings.

    s(t) = r0 J s + r1 nu, theta = theta / r0 + nu B / r1; the readout's own gradient is exact.

    Args:
        problem: The problem.
        draw: Draws nu, shape (I,), given the one before.
        r0: Scaling of what is carried.
        r1: Scaling of what is new.
        wrong_r1: Divides what is new in theta in place of r1.
    """
    W, R, V = (problem.parameters[name] for name in "WRV")
    net, a = problem.network, problem.initial_state
    s = np.zeros_like(a)
    tW, tR = np.zeros_like(W), np.zeros_like(R)
    dW, dR, dV = np.zeros_like(W), np.zeros_like(R), np.zeros_like(V)
    slope, nu = np.zeros_like(a), None
    for x, y in zip(problem.inputs, problem.targets, strict=True):
        nu = draw(nu)
        pre = W.T @ x + R.T @ a
        s = r0 * (R.T @ (slope * s)) + r1 * nu
        by = r1 if wrong_r1 is None else wrong_r1
        tW, tR = tW / r0 + np.outer(x, nu) / by, tR / r0 + np.outer(a, nu) / by
        a, slope = net.activation(pre), net.activation.derivative(pre)
        e = net.output_error(V.T @ a, y)
        scale = (slope * (V @ e)) @ s
        dW, dR, dV = dW + scale * tW, dR + scale * tR, dV + np.outer(a, e)
    return {"W": dW, "R": dR, "V": dV}


def units(problem: Problem) -> int:
    return int(problem.parameters["R"].shape[0])


@gradcheck.rule(gradcheck.Unbiased())
def uoro(problem: Problem, noise: Noise) -> Any:
    """UORO with signs and constant scalings."""
    return estimate(problem, lambda _: noise.signs(units(problem)), 2, 0.5)


@gradcheck.rule(gradcheck.Unbiased())
def uoro_normal(problem: Problem, noise: Noise) -> Any:
    """UORO with normal noise."""
    return estimate(problem, lambda _: noise.normal(units(problem)))


@gradcheck.rule(gradcheck.Unbiased())
def uoro_scaled(problem: Problem, noise: Noise) -> Any:
    """UORO with a scaling that depends on the noise, evenly: |nu|^2 and the size of what is carried."""
    I = units(problem)

    def draw(_: Any) -> Any:
        return noise.signs(I)

    nu = draw(None)
    r1 = np.sqrt((nu * problem.parameters["R"][0]) @ (nu * problem.parameters["R"][0]) + 1)
    return estimate(problem, draw, 1, r1)


@gradcheck.rule(gradcheck.Unbiased())
def variance_of_a_third(problem: Problem, noise: Noise) -> Any:
    """UORO with noise that is uniform on [-1, 1]."""
    return estimate(problem, lambda _: 2 * noise.uniform(units(problem)) - 1)


@gradcheck.rule(gradcheck.Unbiased())
def correlated(problem: Problem, noise: Noise) -> Any:
    """UORO with the same sign for all units."""
    return estimate(problem, lambda _: noise.signs() + np.zeros_like(problem.initial_state))


@gradcheck.rule(gradcheck.Unbiased())
def scaled_once(problem: Problem, noise: Noise) -> Any:
    """UORO with a scaling left out of one factor."""
    return estimate(problem, lambda _: noise.signs(units(problem)), 1, 2, wrong_r1=1)


@gradcheck.rule(gradcheck.Unbiased())
def drawn_once(problem: Problem, noise: Noise) -> Any:
    """UORO with the noise of the first step at every step."""
    return estimate(problem, lambda nu: noise.signs(units(problem)) if nu is None else nu)


def artbp(problem: Problem, noise: Noise, corrected: bool = True) -> Any:
    """Estimate the gradient by ARTBP (Tallec & Ollivier 2017): the past is cut at random, and what is left made up for.

    delta(t) = d(t) + b(t) J^T delta(t+1) / (1 - c), b(t) = 1 with probability 1 - c = 3/4.
    """
    W, R, V = (problem.parameters[name] for name in "WRV")
    net, states, pre = problem.network, [problem.initial_state], []
    for x in problem.inputs:
        pre.append(W.T @ x + R.T @ states[-1])
        states.append(net.activation(pre[-1]))
    dW, dR, dV = np.zeros_like(W), np.zeros_like(R), np.zeros_like(V)
    delta = np.zeros_like(problem.initial_state)
    for t in reversed(range(problem.T)):
        kept = noise.bernoulli(0.75) / (0.75 if corrected else 1)
        e = net.output_error(V.T @ states[t + 1], problem.targets[t])
        delta = net.activation.derivative(pre[t]) * (V @ e + kept * (R @ delta))
        dW, dR = dW + np.outer(problem.inputs[t], delta), dR + np.outer(states[t], delta)
        dV = dV + np.outer(states[t + 1], e)
    return {"W": dW, "R": dR, "V": dV}


@gradcheck.rule(gradcheck.Unbiased())
def cut(problem: Problem, noise: Noise) -> Any:
    """ARTBP."""
    return artbp(problem, noise)


@gradcheck.rule(gradcheck.Unbiased())
def uncorrected(problem: Problem, noise: Noise) -> Any:
    """ARTBP without the factor 1 / (1 - c)."""
    return artbp(problem, noise, corrected=False)


@gradcheck.rule(gradcheck.Unbiased())
def own_generator(problem: Problem) -> Any:
    """UORO that draws from NumPy's global generator."""
    return estimate(problem, lambda _: np.random.choice([-1.0, 1.0], units(problem)))


@gradcheck.rule(gradcheck.Unbiased())
def own_generator_biased(problem: Problem) -> Any:
    """UORO of the wrong variance that draws from Python's global generator."""
    return estimate(problem, lambda _: np.array([random.uniform(-1, 1) for _ in range(units(problem))]))


RIGHT = (uoro, uoro_normal, uoro_scaled, cut)
WRONG = (variance_of_a_third, correlated, scaled_once, drawn_once, uncorrected)
