"""README.md: its two commands are those that run. tests/unit/test_docs.py has the rest of it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
COMMANDS = [code.strip() for language, code in BLOCKS if language == "sh"]
BARE = [command for command in COMMANDS if command.startswith("python3 -m venv ")]


def test_ci_runs_the_readmes_test_command_and_no_other() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    lines = [line for line in script.splitlines() if re.match(r"(venv|test_command)=", line)]
    shown = subprocess.run(
        ["bash", "-euc", "\n".join([*lines, 'printf %s "$test_command"'])], cwd=ROOT, capture_output=True, text=True
    )
    assert shown.stdout == BARE[1], shown.stderr
    assert script.count("pytest") == lines[-1].count("pytest"), ".ci/run must run pytest by the README's command alone"
    assert '\ncheck bash -c "$test_command"\n' in script


@pytest.mark.parametrize(("command", "end"), list(zip(BARE, ["/bin/gradcheck report", "/bin/pytest"], strict=True)))
def test_commands_need_only_python(command: str, end: str) -> None:
    venv = command.removeprefix("python3 -m venv ").split()[0]
    assert "\n" not in command
    assert command.endswith(f" && {venv}{end}")
    assert " -e" not in command and "--editable" not in command
    ignored = subprocess.run(["git", "check-ignore", "-q", f"{venv}/"], cwd=ROOT)
    assert ignored.returncode in (0, 128), f"{venv} is not ignored by git"


def test_commands_do_not_share_an_environment() -> None:
    assert len({command.split()[3] for command in BARE}) == 2


@pytest.mark.parametrize("end", ["gradcheck report", "pytest"])
def test_short_form_stands_beside_each_command(end: str) -> None:
    assert [command for command in COMMANDS if command.startswith(("uvx ", "uv ")) and command.endswith(f" {end}")]
