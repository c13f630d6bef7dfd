"""A counterexample as a NumPy program that needs nothing else.

The true entry comes from the forward pass alone, by the complex step (Squire and Trapp 1998): the
parameter's entry is moved by 1e-30 i in the uses that the claim counts, and the loss's imaginary
part is read off, without any difference to cancel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .evidence import Case
from .reference.claims import Chunked, Claim, Exact, Settings, Truncated, Windowed
from .reference.network import ContextNetwork, Network
from .reference.problem import Problem

_ACTIVATIONS = {
    "identity": "s",
    "tanh": "np.tanh(s)",
    "logistic": "1 / (1 + np.exp(-s))",
    "relu": "np.where(s.real > 0, s, 0)",
    "softplus": "np.log(1 + np.exp(s))",
}
_OUTPUTS = {
    "identity": "u",
    "tanh": "np.tanh(u)",
    "logistic": "1 / (1 + np.exp(-u))",
    "softmax": "np.exp(u) / np.exp(u).sum()",
}
_LOSSES = {
    "squared_error": "((yhat - y) ** 2).sum() / 2",
    "binary_cross_entropy": "-(y * np.log(yhat) + (1 - y) * np.log(1 - yhat)).sum()",
    "categorical_cross_entropy": "-(y * np.log(yhat)).sum()",
}
_STEP, _CONTEXT_STEP = "f(p['W'].T @ x + p['R'].T @ a)", "p['w'] * a + f(p['W'].T @ x)"


def _keeps(claim: Claim) -> str | None:
    if isinstance(claim, Exact):
        return "True"
    if isinstance(claim, Truncated):
        return f"k < {claim.tau}"
    if isinstance(claim, Chunked):
        return f"k <= (t - 1) % {claim.length}"
    if isinstance(claim, Windowed):
        return f"k < {claim.horizon} - (min(-(-t // {claim.stride}) * {claim.stride}, T) - t)"
    return None


def _array(array: Any) -> str:
    return "np." + repr(np.asarray(array, dtype=float)).replace("\n", "\n   ")


def snippet(case: Case, problem: Problem, settings: Settings, entry: str, got: str, expected: str) -> str:
    """The program; for networks other than the two shipped it states the numbers and the values only."""
    network, claim = problem.network, case.claim.bind(settings)
    called = ", ".join(["problem", *(f"{k}={v}" for k, v in settings.items())])
    name, index = entry.partition("[")[0], entry.partition("[")[2].rstrip("]")
    with np.printoptions(threshold=100_000, linewidth=110, floatmode="unique", precision=17):
        numbers = [f"{key} = {_array(value)}" for key, value in problem.arrays().items() if "[" not in key]
    keeps = _keeps(claim)
    lines = ["import numpy as np", "", f"# {network.name}: {network}. {problem.sizes}. Claim: {claim}.", *numbers]
    if keeps is not None and isinstance(network, (Network, ContextNetwork)):
        lines += [
            f"parameters = {{{', '.join(f'{k!r}: {k}' for k in problem.parameters)}}}",
            f"T = {problem.T}",
            "",
            "def f(s): return " + _ACTIVATIONS[network.activation.name],
            "def g(u): return " + _OUTPUTS[network.head.output.name],
            "def loss(y, yhat): return " + _LOSSES[network.head.loss.name],
            f"def keeps(t, k): return {keeps}  # does the loss at t count the use at t - k?",
            "def step(p, a, x): return " + (_CONTEXT_STEP if isinstance(network, ContextNetwork) else _STEP),
            "",
            "def true_entry(name, index):",
            "    total = 0.0",
            "    for t in range(1, T + 1):",
            "        a = initial_state.astype(complex)",
            "        for s in range(1, t + 1):",
            "            p = {key: value.astype(complex) for key, value in parameters.items()}",
            "            if keeps(t, t - s):",
            "                p[name][index] += 1e-30j",
            "            a = step(p, a, inputs[s - 1])",
            "        total += loss_weights[t - 1] * loss(targets[t - 1], g(p['V'].T @ a)).imag / 1e-30",
            "    return total",
            "",
            f"true = true_entry({name!r}, ({index}{'' if ',' in index else ','}))",
            f"got = {_literal(got)}  # {case.rule.name}({called})[{name!r}][{index}]",
            f"print('{entry}: true', true, {f' {case.rule.name}'!r}, got, ' off by', abs(got - true))",
        ]
    else:
        lines += [
            f"true = {_literal(expected)}  # {entry} of what was claimed, to 20 digits",
            f"got = {_literal(got)}  # {case.rule.name}({called})",
            f"print('{entry}: true', true, {f' {case.rule.name}'!r}, got, ' off by', abs(got - true))",
        ]
    return "\n".join(lines) + "\n"


def _literal(number: str) -> str:
    return f"float({number!r})" if number in ("nan", "inf", "-inf") else number.strip()
