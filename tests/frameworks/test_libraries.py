"""`gradcheck libraries`: layers of torch and scans in JAX, the right ones and wrong ones like them."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import gradcheck
from gradcheck.chapters import libraries
from gradcheck.cli import commands as cli
from gradcheck.evidence.floats import comparison
from gradcheck.problems.lively import lively_problem
from gradcheck.reference.networks.base import Sizes
from gradcheck.reference.networks.sizes import fitting
from gradcheck.rules.adapt import as_rule

for framework in ("torch", "jax"):
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is missing; pip install 'rnn-gradcheck[{framework}]'", allow_module_level=True)

pytestmark = [pytest.mark.torch, pytest.mark.jax, pytest.mark.usefixtures("quick_to_compile")]

import jax  # noqa: E402

from gradcheck.chapters.libraries import cells_in_jax as cells  # noqa: E402


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner(env={"COLUMNS": "80"}).invoke(cli.app, ["libraries", *arguments])
    return done.exit_code, done.output


def outside(rule: Any) -> Any:
    """Return the first entry beyond rounding, on one problem at float64."""
    made = as_rule(rule)
    network = made.declaration.networks[0]
    problem = lively_problem(network, fitting(network, Sizes(4, 3, 2, 2)), 0)
    seen, *_ = comparison.compare_on(made, gradcheck.Exact(), problem, {}, np.float64)
    return seen.outside


@pytest.mark.parametrize("name", cells.RULES)
def test_a_scan_of_each_cell_is_within_rounding(name: str) -> None:
    assert outside(getattr(cells, name)) is None


def carrying_a_constant(step: cells.Step) -> cells.Step:
    """Wrong: no error travels back from step to step."""
    return lambda p, state, x: step(p, jax.lax.stop_gradient(state), x)


@pytest.mark.parametrize("name", ["mgu", "lru", "stacked"])
def test_a_scan_that_carries_a_constant_is_not(name: str) -> None:
    cell = cells.CELLS[name]
    wrong = dataclasses.replace(cell, step=carrying_a_constant(cell.step))
    assert outside(cells.scan(name, wrong)) is not None


def test_every_library_is_audited_and_written_under_one_title(
    brief: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from gradcheck.chapters.libraries import layers_of_torch

    monkeypatch.setattr(layers_of_torch, "RULES", ("RNNCell", "GRUCell"))
    file = tmp_path / "libraries.json"
    status, text = run("torch", "-q", "--json", str(file))
    assert status == 0 and "GRUCell: exact SUPPORTED" in text, text
    written = json.loads(file.read_text())
    assert written["title"] == libraries.TITLE
    assert [report["rule"] for report in written["reports"]] == ["RNNCell", "GRUCell"]
    assert all("torch" in report["provenance"]["packages"] for report in written["reports"])


def test_rules_are_named_by_library() -> None:
    torch, jax_ = libraries.names(["torch"]), libraries.names(["jax"])
    assert torch and jax_ and libraries.names() == [*torch, *jax_]


@pytest.mark.parametrize(
    ("installed", "wanted", "problem"),
    [
        (("torch", "jax"), ["keras"], "there are no rules of 'keras'; choose torch or jax"),
        (("torch",), ["jax"], "jax is not installed; pip install 'rnn-gradcheck[jax]'"),
        ((), [], "none of torch, jax is installed; pip install 'rnn-gradcheck[torch,jax]'"),
    ],
)
def test_a_library_that_is_not_there_is_named(
    installed: tuple[str, ...], wanted: list[str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda name: name in installed or None)
    status, text = run(*wanted)
    assert status == 2 and " ".join(text.split()).endswith(problem), text
