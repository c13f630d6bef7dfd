"""The NumPy programs that show a counterexample: what they look like; `test_evidence.py` has what they show."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import plain_rules
import pytest
from made_up import GatedLeaky, gated_bptt
from syrupy.assertion import SnapshotAssertion

import gradcheck
from gradcheck.algorithms import RTRL, windowed_bptt
from gradcheck.chapters.lecture.snippet import program as equation_program
from gradcheck.chapters.truncation.programs import error_program
from gradcheck.evidence.base import Case
from gradcheck.evidence.target import expected
from gradcheck.explain import program as snippet
from gradcheck.explain.source import array_lines
from gradcheck.problems.lively import lively_problem
from gradcheck.reference.network import ALL_CONTEXT_NETWORKS, ALL_NETWORKS, ContextNetwork, Network, Sizes
from gradcheck.reference.problem import Problem
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
    lines = array_lines("W = ", row)
    assert max(map(len, lines)) <= 80 and np.array_equal(eval("\n".join(lines)[4:], {"np": np}), row)


def fixed(network: Any, T: int = 3) -> Problem:
    """A problem whose numbers are written here, so that a program's text depends on its printer alone."""
    sizes = Sizes(T, 2, 1, 2)
    shapes = network.parameter_shapes(sizes)
    parameters = {name: np.arange(1.0, 1 + np.prod(shape)).reshape(shape) / 8 for name, shape in shapes.items()}
    return Problem(parameters, np.full((T, 1), 0.1), np.full((T, 2), 0.75), network=network)


def left(q: Any) -> Any:
    """Its text is printed without this, and without annotations."""
    return {"delta": [q.delta[t] for t in q.times]}


def side(q: Any) -> Any:
    return {"delta": [q.df[t] * (q.V @ q.e[t]) for t in q.times]}


def printed(name: str) -> str:
    exact, tanh = gradcheck.Exact(), Network()
    if name == "equation":
        return equation_program("delta(t)", fixed(Network("logistic", "tanh")), left, side, "delta", (0, 1))
    if name == "errors":
        return error_program(fixed(Network("relu")), {"tau = 1": "k < 1", "C = 2": "k <= (t - 1) % 2"})
    claim, network, rule = {
        "network": (exact, tanh, plain_rules.good),
        "context": (gradcheck.Chunked(2), ContextNetwork("softplus", "logistic", "binary_cross_entropy"), RTRL),
        "settings": (gradcheck.Windowed("horizon", "stride"), tanh, windowed_bptt),
        "of another rule": (gradcheck.Equals(plain_rules.good), tanh, plain_rules.wrong),
        "network of one's own": (exact, GatedLeaky(), gated_bptt),
    }[name]
    settings = {"horizon": 4, "stride": 2} if name == "settings" else {}
    entry = f"{next(iter(network.parameter_shapes(Sizes(1, 1, 1, 1))))}[0,1]"
    case, problem = Case(as_rule(rule), claim, network), fixed(network)
    true = "0.5" if name == "of another rule" else repr(float(expected(claim.bind(settings), problem)[entry[0]][0, 1]))
    program = snippet.snippet(case, problem, settings, entry, "0.25", true, dtype="float32")
    return "\n".join(line for line in program.split("\n") if "sys.path" not in line)


@pytest.mark.parametrize(
    "name", ["network", "context", "settings", "of another rule", "network of one's own", "errors", "equation"]
)
def test_the_text_of_a_program(name: str, snapshot: SnapshotAssertion) -> None:
    assert printed(name) == snapshot
