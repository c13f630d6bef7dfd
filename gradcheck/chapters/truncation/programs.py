"""Counterexamples about truncation errors, as records and as NumPy programs that need nothing else.

The program takes each lag term from the forward pass alone, by the complex step (Squire and Trapp 1998): the
parameters' use at time t - k is moved by 1e-30 i and the imaginary part of the loss at t is read off.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ...explain.counterexample import as_text
from ...explain.source import FUNCTIONS, assignments, comment, text
from ...records import Counterexample
from ...reference.problem import Problem


def counterexample(
    problem: Problem, claim: str, *, entry: str, expected: str, got: str, gap: str, certified: str, snippet: str
) -> Counterexample:
    """Return the record of a small float problem on the lecture's network on which `claim` is false."""
    arrays = {name: np.asarray(array).tolist() for name, array in problem.arrays().items()}
    return Counterexample(
        {
            "network": f"{problem.network.name}: {problem.network}",
            "sizes": dataclasses.asdict(problem.sizes),
            "claim": claim,
            "arrays": as_text(arrays),
        },
        entry, expected, got, gap, "0", certified, snippet,
    )  # fmt: skip


def error_program(problem: Problem, keeps: dict[str, str]) -> str:
    """Return a program that prints the error's norm for each label of `keeps`, the text of a rule in t, k and T.

    The network must be the lecture's with identity, tanh or relu, identity output and squared error.
    """
    network: Any = problem.network
    rules = [f"    {label!r}: lambda t, k: {kept}," for label, kept in keeps.items()]
    lines = [
        "import numpy as np",
        "",
        *comment(f"{network.name}: {network}. {problem.sizes}."),
        *assignments(problem.arrays()),
        "parameters, T = {'W': W, 'R': R, 'V': V}, len(inputs)",
        f"f = lambda s: {FUNCTIONS[network.activation.name]}",
        "keeps = {",
        *rules,
        "}",
        "",
        "def lag(t, k, name, index):",
        '    """The loss at t, differentiated in the use of one entry at time t - k."""',
        "    a = initial_state.astype(complex)",
        "    for s in range(1, t + 1):",
        "        p = {key: value.astype(complex) for key, value in parameters.items()}",
        "        if s == t - k:",
        "            p[name][index] += 1e-30j",
        "        a = f(p['W'].T @ inputs[s - 1] + p['R'].T @ a)",
        "    return loss_weights[t - 1] * (((p['V'].T @ a - targets[t - 1]) ** 2).sum() / 2).imag / 1e-30",
        "",
        "entries = [(name, index) for name, value in parameters.items() for index in np.ndindex(value.shape)]",
        "lags = [(t, k) for t in range(1, T + 1) for k in range(t)]",
        "g = {tk: np.array([lag(*tk, *entry) for entry in entries]) for tk in lags}",
        "for label, keep in keeps.items():",
        "    dropped = sum((g[t, k] for t, k in lags if not keep(t, k)), np.zeros(len(entries)))",
        "    print(f'{label}: error {np.linalg.norm(dropped):.6g}')",
    ]
    return text(lines)
