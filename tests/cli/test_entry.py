"""The entry point: what surrounds the process costs neither the status nor a file, and never ends in a traceback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from gradcheck.cli.commands import app

RULES = Path(__file__).parents[1] / "plain_rules.py"
pytestmark = [
    pytest.mark.processes,
    pytest.mark.usefixtures("brief"),
    pytest.mark.skipif(os.name == "nt", reason="signals and descriptors of POSIX"),
]

MAIN = "from gradcheck.cli import main; main()"
INTERRUPTING = """
import builtins, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
at, imported, importing = sys.argv.pop(1), set(), builtins.__import__
def interrupting(name, *arguments, **named):
    if name.partition(".")[0] == at and at not in imported:
        imported.add(at)
        os.kill(os.getpid(), signal.SIGINT)
    return importing(name, *arguments, **named)
builtins.__import__ = interrupting
"""


def python(program: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, text=True, timeout=120, **{"capture_output": True, **options})


@pytest.mark.parametrize("package", ["typer", "rich", "numpy", "sympy", "flint", "hypothesis"])
def test_an_interrupt_while_a_package_is_imported_is_no_traceback(package: str) -> None:
    done = python(INTERRUPTING + MAIN, package, "audit", f"{RULES}:good", "--effort", "quick")
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_heavy_is_imported_before_interrupts_are_caught() -> None:
    program = "import sys, gradcheck.cli; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = set(eval(python(program).stdout))
    assert not loaded & {"typer", "rich", "numpy", "sympy", "pydantic"}, loaded


def test_ignored_ends_of_children_cost_nothing() -> None:
    ignoring = {"preexec_fn": lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)}
    done = python(MAIN, "audit", f"{RULES}:good", "--claim", "pure", "--effort", "quick", "--quiet", **ignoring)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", [["list"], ["audit", f"{RULES}:good", "--effort", "quick"]])
def test_a_folder_that_is_gone_is_a_message(command: list[str], tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = python(f"import os; os.rmdir({str(gone)!r}); {MAIN}", *command, cwd=gone)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.splitlines() == ["gradcheck: the current folder no longer exists; change to one that does"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--version"], 2), (["--help"], 2), (["list"], 2), (["undeclared", "--json", "a.json"], 2), (["nothing"], 1)],
    ids=str,
)
def test_a_full_standard_output_is_told_and_costs_no_file(arguments: list[str], status: int, tmp_path: Path) -> None:
    if arguments[0].isidentifier() and arguments[0] != "list":
        arguments = ["audit", f"{RULES}:{arguments[0]}", *arguments[1:], "--effort", "quick"]
    with open("/dev/full", "w") as full:
        done = python(MAIN, *arguments, cwd=tmp_path, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert "cannot write to standard output: No space left on device" in done.stderr
    assert (tmp_path / "a.json").exists() is ("--json" in arguments)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_standard_error_changes_no_status() -> None:
    with open("/dev/full", "w") as full:
        done = python(MAIN, "audit", "no:rule", capture_output=False, stdout=subprocess.PIPE, stderr=full)
    assert done.returncode == 2


@pytest.mark.parametrize("closed", ["1", "1,2", "0,1,2"])
def test_closed_standard_streams_are_no_error(closed: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAIN, "audit", f"{RULES}:undeclared", "--effort", "quick", "--json", "a.json"]
    program = f"import os\nfor fd in ({closed},): os.close(fd)\nos.execv({sys.executable!r}, {command})"
    done = python(program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.json").is_file()


@pytest.mark.parametrize("name", ["audit", "report", "libraries", "replay", "list", "faults"])
def test_no_paragraph_of_a_help_text_is_broken_where_the_source_breaks_it(name: str) -> None:
    text = get_command(app).commands[name].help or ""  # type: ignore[attr-defined]
    _, *paragraphs = re.split(r"\n\n", text)
    broken = [p for p in paragraphs if "\n" in p and not p.startswith("\b")]
    assert not broken, f"typer keeps these line breaks: {broken}"


def test_completion_can_be_installed() -> None:
    environment = {
        **os.environ,
        "_GRADCHECK_COMPLETE": "complete_bash",
        "COMP_WORDS": "gradcheck rep",
        "COMP_CWORD": "1",
    }
    done = python(MAIN, env=environment)
    assert done.stdout.split() == ["report", "replay"], done.stderr
