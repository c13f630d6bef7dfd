"""The NumPy programs that show a counterexample: what they look like; `test_evidence.py` has what they show."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import plain_rules
import pytest

import gradcheck
from gradcheck.evidence.base import Case
from gradcheck.explain import program as snippet
from gradcheck.problems.lively import lively_problem
from gradcheck.reference.network import ALL_CONTEXT_NETWORKS, ALL_NETWORKS, Sizes
from gradcheck.rules.adapt import as_rule


@pytest.mark.parametrize("claim", [gradcheck.Exact(), gradcheck.Truncated(3), gradcheck.Windowed(6, 2)], ids=str)
@pytest.mark.parametrize("size", [Sizes(2, 1, 1, 1), Sizes(11, 3, 2, 2)], ids=str)
def test_a_program_keeps_to_80_columns_and_runs_as_it_is(claim: Any, size: Sizes) -> None:
    for network in (*ALL_NETWORKS, *ALL_CONTEXT_NETWORKS[::7]):
        problem = lively_problem(network, size, 0)
        case = Case(as_rule(plain_rules.good), claim, network)
        program = snippet.snippet(case, problem, {}, "V[0,0]", "0.25", "0.5")
        wide = [line for line in program.split("\n") if len(line) > 80 and "sys.path" not in line]
        assert not wide, f"{network}: {wide}"
        space: dict[str, Any] = {}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(program, "snippet", "exec"), space)
        for name, array in problem.arrays().items():
            assert np.array_equal(space[name], array), f"{network}: {name} is not what it was"


def test_a_long_row_is_broken_between_numbers() -> None:
    row = np.linspace(0, 1, 40).reshape(1, -1)
    lines = snippet.array_lines("W = ", row)
    assert max(map(len, lines)) <= 80 and np.array_equal(eval("\n".join(lines)[4:], {"np": np}), row)
