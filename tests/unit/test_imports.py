"""One import root, and dependencies that point one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {"reference": {"reference"}, "algorithms": {"reference", "algorithms"}}
"""What of gradcheck a folder may import; the harness itself may import all of it."""


def imported(source: str) -> set[str]:
    """The absolute names that a module imports."""
    nodes = list(ast.walk(ast.parse(source)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
    return plain | {f"{node.module}.{alias.name}" for node in froms for alias in node.names}


def complaints(folder: str, source: str) -> list[str]:
    """What is wrong with the imports of a module in `folder`."""
    bare = [f"{name} loads a second copy" for name in imported(source) if name.split(".")[0] in MAY_IMPORT]
    rooms = {
        name.split(".")[1] if "." in name else "" for name in imported(source) if name.split(".")[0] == "gradcheck"
    }
    wrong = rooms - MAY_IMPORT.get(folder, rooms)
    return sorted(bare + [f"{folder} must not import gradcheck.{room}" for room in wrong])


@pytest.mark.parametrize("folder", ["reference", "algorithms", "gradcheck", "tests", "benchmarks", "examples"])
def test_imports(folder: str) -> None:
    found = {
        str(path.relative_to(ROOT)): complaints(folder, path.read_text()) for path in (ROOT / folder).rglob("*.py")
    }
    assert not any(found.values()), {path: wrong for path, wrong in found.items() if wrong}


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("gradcheck", "import reference"),
        ("reference", "from reference.problem import Problem"),
        ("tests", "from algorithms import bptt"),
        ("reference", "from gradcheck.algorithms import bptt"),
        ("reference", "import gradcheck"),
        ("algorithms", "from gradcheck import audit"),
        ("algorithms", "import gradcheck.evidence.exact.formal"),
    ],
)
def test_a_planted_import_is_seen(folder: str, source: str) -> None:
    assert complaints(folder, source)


@pytest.mark.parametrize("source", ["import reference", "from algorithms.bptt import bptt"])
def test_lint_bans_bare_imports(tmp_path: Path, source: str) -> None:
    def lint(text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "planted.py").write_text(text)
        command = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "planted.py"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    done = lint(f'"""Planted."""\n\n{source}  # noqa: F401, I001\n')
    assert done.returncode == 1 and "TID251" in done.stdout, done.stdout + done.stderr
    clean = lint('"""Clean."""\n\nimport gradcheck.reference  # noqa: F401\n')
    assert clean.returncode == 0, clean.stdout + clean.stderr
