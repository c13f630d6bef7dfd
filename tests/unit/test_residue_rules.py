"""Whole rules on residues: what agrees there, what does not, and that object scalars say the same."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck.reference.lags import gradient
from gradcheck.reference.network import DEFAULT_NETWORK
from gradcheck.reference.problem import Problem, loss
from gradcheck.reference.scalars.residues.array import ResidueField
from gradcheck.reference.scalars.residues.modular import ModularField

BIG = ResidueField(2**31 - 1, seed=1)


def bptt(problem, horizon=None):
    p, net, T = problem.parameters, problem.network, problem.T
    a, s = [problem.initial_state], []
    for x in problem.inputs:
        s.append(p["W"].T @ x + p["R"].T @ a[-1])
        a.append(net.activation(s[-1]))
    gradient = {name: np.zeros_like(value) for name, value in p.items()}
    e = [net.output_error(p["V"].T @ a[t + 1], problem.targets[t]) for t in range(T)]
    starts = range(T - 1, T) if horizon is None else range(T)
    for end in starts:
        delta = np.zeros_like(problem.initial_state)
        for t in range(end, -1 if horizon is None else max(-1, end - horizon), -1):
            into = p["R"] @ delta + (p["V"] @ e[t] if horizon is None or t == end else 0)
            delta = net.activation.derivative(s[t]) * into
            gradient["W"] += np.outer(problem.inputs[t], delta)
            gradient["R"] += np.outer(a[t], delta)
    for t in range(T):
        gradient["V"] += np.outer(a[t + 1], e[t])
    return gradient


def rtrl(problem):
    p, net = problem.parameters, problem.network
    (D, I), n = p["W"].shape, p["R"].shape[0]
    a, M = problem.initial_state, np.zeros_like(problem.inputs, shape=(I, I * (D + n)))
    total, dV = np.zeros_like(M[0]), np.zeros_like(p["V"])
    for x, y in zip(problem.inputs, problem.targets, strict=True):
        s = p["W"].T @ x + p["R"].T @ a
        M = p["R"].T @ M
        for i in range(I):
            M[i, i::I] += np.concatenate([x, a])
        M *= net.activation.derivative(s)[:, None]
        a = net.activation(s)
        e = net.output_error(p["V"].T @ a, y)
        total += (p["V"] @ e) @ M
        dV += np.outer(a, e)
    weights = total.reshape(D + n, I)
    return {"W": weights[:D], "R": weights[D:], "V": dV}


def problem_over(field, rng, network=DEFAULT_NETWORK, T=30, I=6, D=2, K=3):
    shapes = {"W": (D, I), "R": (I, I), "V": (I, K)}
    return Problem(
        {name: field.random(shape, rng) for name, shape in shapes.items()},
        field.random((T, D), rng), field.random((T, K), rng), field.random((I,), rng), network=network,
    )  # fmt: skip


NETWORKS = [type(DEFAULT_NETWORK)(f) for f in ("tanh", "logistic", "relu", "softplus", "identity")]
NETWORKS += [type(DEFAULT_NETWORK)("tanh", "softmax"), DEFAULT_NETWORK.undefined()]


@pytest.mark.parametrize("network", NETWORKS, ids=str)
@pytest.mark.parametrize("prime", [8388593, 2**31 - 1])
def test_rtrl_is_bptt_and_truncation_is_not(network, prime):
    field = ResidueField(prime, seed=7)
    problem = problem_over(field, np.random.default_rng(0), network)
    exact, forward = bptt(problem), rtrl(problem)
    for name in exact:
        assert field.equal(exact[name], forward[name]).all(), f"RTRL's {name} is not BPTT's with {network}"
    truncated = bptt(problem, horizon=problem.T - 1)
    if network.activation.name != "relu":  # where all random bits of a path must be 1
        assert not field.equal(exact["R"], truncated["R"]).all(), f"truncation at T - 1 passes for exact with {network}"
    full = bptt(problem, horizon=problem.T)
    assert field.equal(exact["R"], full["R"]).all(), f"truncation at T is not exact with {network}"


def test_agrees_with_object_scalars_of_the_same_prime_without_functions():
    network = type(DEFAULT_NETWORK)("identity")
    problem = problem_over(BIG, np.random.default_rng(1), network, T=4, I=3)
    objects = ModularField(BIG.prime)
    same = problem.map(lambda array: objects.lift(BIG.residues(array)))
    mine, theirs = {**bptt(problem), "loss": loss(problem)}, {**bptt(same), "loss": np.asarray(loss(same))}
    for name, value in mine.items():
        wanted = np.reshape([int(v) for v in objects.natives(theirs[name])], value.shape)
        assert (BIG.residues(value) == wanted).all(), f"{name} or its gradient differs from that on object scalars"


def test_float_problems_carry_over():
    rng = np.random.default_rng(0)
    parameters = {"W": rng.normal(size=(2, 3)), "R": rng.normal(size=(3, 3)), "V": rng.normal(size=(3, 1))}
    problem = Problem(parameters, rng.normal(size=(4, 2)), rng.normal(size=(4, 1))).over(BIG)
    assert problem.inputs.degree == 0, "numbers carried over are not constants"
    assert all(np.all(BIG.equal(bptt(problem)[k], rtrl(problem)[k])) for k in parameters), "RTRL is not BPTT"


def test_the_reverse_pass_runs_on_residues():
    problem = problem_over(BIG, np.random.default_rng(2))
    expected, taped = bptt(problem), gradient(problem)
    for name in expected:
        assert BIG.equal(expected[name], taped[name]).all(), f"the tape's {name} is not BPTT's"


def test_an_operand_with_its_own_ufuncs_answers_for_itself():
    class Own:
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            return "its own answer"

    x = BIG.lift(np.ones(2))
    assert x * Own() == "its own answer", "residues did not leave the product to the other operand"
    assert np.add(x, Own()) == "its own answer", "np.add did not leave it to the other operand"
