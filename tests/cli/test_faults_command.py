"""`gradcheck faults`: the list, one fault with its code, and who catches what."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gradcheck.chapters import matrix
from gradcheck.cli import commands as cli
from gradcheck.faults import FAULTS

pytestmark = pytest.mark.jax


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner(env={"COLUMNS": "80"}).invoke(cli.app, ["faults", *arguments])
    return done.exit_code, done.output


def test_the_gallery_is_listed_by_category() -> None:
    status, text = run()
    assert status == 0 and max(map(len, text.splitlines())) <= 80
    for fault in FAULTS:
        assert re.search(rf"^{re.escape(fault.category)}$", text, re.MULTILINE), f"no heading {fault.category}"
        assert re.search(rf"^  {re.escape(fault.id)} +\S", text, re.MULTILINE), f"{fault.id} is not listed"


def test_a_fault_is_shown_with_its_code() -> None:
    status, text = run("r-transposed-in-recursion")
    assert status == 0 and "carried back by R^T" in text
    assert re.search(r"^\+.*R\.T @ delta\[t \+ 1\]", text, re.MULTILINE), text
    assert "gradcheck audit gradcheck.faults.rules:r-transposed-in-recursion" in text


def test_the_matrix_is_printed_and_written(tmp_path: Path) -> None:
    file = tmp_path / "matrix.json"
    status, text = run("sign-of-dv", "--matrix", "--quiet", "--json", str(file))
    assert status == 0 and max(map(len, text.replace(str(file), "").splitlines())) <= 80
    (fault,) = json.loads(file.read_text())["faults"]
    assert fault["fault"] == "sign-of-dv"
    assert fault["outcomes"]["purity"]["result"] == "missed"
    assert fault["outcomes"]["modular"]["result"] == "caught"
    assert set(matrix.EVIDENCE) | {peer.name for peer in matrix.peers()} == set(fault["outcomes"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["scale-3"], "did you mean scale-2?"), (["--json", "m.json"], "--json writes the matrix; add --matrix")],
)
def test_a_mistake_in_the_command_is_met_in_words(arguments: list[str], said: str) -> None:
    status, text = run(*arguments)
    assert status == 2 and said in text, text


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("r-transposed", "r-transposed-in-recursion"),
        ("R-Transposed-In-Recursion", "r-transposed-in-recursion"),
        ("scale-3", "scale-2"),
        ("nothing like it", "gradcheck faults"),
    ],
)
def test_a_fault_that_does_not_exist_is_told_from_those_that_do(given: str, meant: str) -> None:
    status, text = run(given)
    assert status == 2 and meant in " ".join(text.split())
