"""The import contract: its picture in docs/, its form in pyproject.toml, and the tool that checks it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {contract["name"]: contract for contract in PYPROJECT["tool"]["importlinter"]["contracts"]}
PICTURES = re.findall(r"^```\n(.*?)^```$", (ROOT / "docs/architecture.md").read_text(), re.DOTALL | re.MULTILINE)
MOST_ENTRIES = 16


def rooms_of_the_picture(picture: str) -> list[str]:
    """The rooms that a picture names, top to bottom; `gradcheck/` alone is the folder that the others lie in."""
    lines = [line for line in picture.splitlines() if not line.startswith("   ")]
    names = [name for line in lines for name in re.split(r"\s{2,}", line.strip())[0].split()]
    return [name.strip("/").removesuffix(".py") for name in names if name != "gradcheck/"]


def rooms_of_the_contract(contract: Mapping[str, list[str]]) -> list[list[str]]:
    """The layers of a contract, lowest first, each as the rooms that share it."""
    return [layer.split(" : ") for layer in reversed(contract["layers"])]


@pytest.mark.parametrize(("picture", "name"), list(zip(PICTURES, ["rooms", "ground truth"], strict=True)))
def test_picture_and_contract_are_one(picture: str, name: str) -> None:
    drawn = rooms_of_the_picture(picture)
    layers = rooms_of_the_contract(CONTRACTS[name])
    kept = [[room for room in layer if room in drawn] for layer in layers]
    assert [set(layer) for layer in kept] == _grouped(drawn, [len(layer) for layer in kept])
    unseen = {room for layer in layers for room in layer} - set(drawn)
    assert unseen <= {"cotangents", "tape_rules", "tape_composites"}, f"not in the picture: {unseen}"


def _grouped(names: list[str], sizes: Iterable[int]) -> list[set[str]]:
    rest, groups = list(names), []
    for size in sizes:
        groups.append(set(rest[:size]))
        rest = rest[size:]
    assert not rest, f"not in the contract: {rest}"
    return groups


def test_rooms_in_another_order_are_seen() -> None:
    first, second = rooms_of_the_contract(CONTRACTS["rooms"])[:2]
    drawn = rooms_of_the_picture(PICTURES[0])
    assert [*first, *second] == drawn[:2]
    swapped = (
        PICTURES[0].replace("reference/ ", "x").replace("algorithms/ ", "reference/ ").replace("x", "algorithms/ ")
    )
    assert rooms_of_the_picture(swapped)[:2] == [*second, *first]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the checkout, laid out as a wheel, with its contracts."""
    for package, folder in PYPROJECT["tool"]["setuptools"]["package-dir"].items():
        target = tmp_path / package.replace(".", "/")
        shutil.copytree(ROOT / folder, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def python(tree: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of Python that imports gradcheck from `tree`."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, env=environment)


def linted(tree: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command as command; command()"
    return python(tree, program, "--no-cache", "pyproject.toml")


def test_the_contracts_hold(tree: Path) -> None:
    done = linted(tree)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("gradcheck/reference/problem.py", "from gradcheck.algorithms import bptt"),
        ("gradcheck/reference/scalars/ball.py", "from ..problem import Problem"),
        ("gradcheck/evidence/base.py", "from ..report import words"),
        ("gradcheck/report/words.py", "from ..cli import options"),
        ("gradcheck/judge/conclude.py", "from .. import audit"),
    ],
)
def test_a_planted_import_upwards_fails(tree: Path, file: str, line: str) -> None:
    with (tree / file).open("a") as source:
        source.write(f"\n{line}\n")
    done = linted(tree)
    assert done.returncode == 1, done.stdout + done.stderr


def test_a_room_that_is_not_in_the_contract_fails(tree: Path) -> None:
    (tree / "gradcheck/lumber.py").write_text("")
    assert linted(tree).returncode == 1


def cycles(tree: Path) -> set[str]:
    """The modules that lie on import cycles of files."""
    program = (
        "import grimp, json\n"
        "graph = grimp.build_graph('gradcheck', cache_dir=None)\n"
        "print(json.dumps({name: sorted(graph.find_modules_directly_imported_by(name)) for name in graph.modules}))"
    )
    done = python(tree, program)
    assert done.returncode == 0, done.stderr
    return on_cycles(json.loads(done.stdout))


def on_cycles(imports: Mapping[str, Iterable[str]]) -> set[str]:
    """The names from which imports lead back to themselves."""

    def reached(start: str) -> set[str]:
        seen, waiting = set[str](), [start]
        while waiting:
            new = set(imports[waiting.pop()]) - seen
            seen |= new
            waiting += new
        return seen

    return {name for name in imports if name in reached(name)}


def test_no_file_is_on_an_import_cycle(tree: Path) -> None:
    found = cycles(tree)
    assert not found, f"on a cycle: {sorted(found)}"


def test_a_planted_cycle_is_seen(tree: Path) -> None:
    for file, line in (("bptt", "from . import focused"), ("focused", "from . import bptt")):
        with (tree / f"gradcheck/algorithms/{file}.py").open("a") as source:
            source.write(f"\n{line}\n")
    assert {"gradcheck.algorithms.bptt", "gradcheck.algorithms.focused"} <= cycles(tree)


def test_what_only_leads_to_a_cycle_or_from_it_is_on_none() -> None:
    assert on_cycles({"a": "b", "b": "c", "c": "bd", "d": "ef", "e": "f", "f": "e"}) == set("bcef")


def entries(package: Path) -> list[str]:
    return sorted(path.name for path in package.iterdir() if path.name != "__pycache__")


def test_the_top_of_the_harness_is_small() -> None:
    found = entries(ROOT / "gradcheck")
    assert len(found) <= MOST_ENTRIES, f"{len(found)} entries, at most {MOST_ENTRIES}: {found}"


def test_one_entry_more_is_seen(tree: Path) -> None:
    for number in range(MOST_ENTRIES):
        (tree / f"gradcheck/more_{number}.py").touch()
    assert len(entries(tree / "gradcheck")) > MOST_ENTRIES
