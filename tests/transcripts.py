"""Transcripts in README.md and docs/: commands with what they print. Run this file to write them anew.

A transcript is a block of ```console. A command begins with `$`; the first lines that it prints on standard output
follow, and a line `...` stands for the rest. Commands of one page run in one folder, with the page's rules beside them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CONSOLE = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.DOTALL | re.MULTILINE)
RULE_FILE = re.compile(r"[Ss]ave\s(?:it|this)\sas\s`(\w+\.py)`:\n\n```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Shown:
    """A command, and the first lines of what it prints."""

    command: str
    lines: tuple[str, ...]
    whole: bool

    def __str__(self) -> str:
        return "\n".join([f"$ {self.command}", *self.lines, *([] if self.whole else ["..."])])


def read(block: str) -> Iterator[Shown]:
    """The commands of a block."""
    for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *lines = text.rstrip("\n").split("\n")
        whole = lines[-1:] != ["..."]
        yield Shown(command, tuple(lines if whole else lines[:-1]), whole)


def rule_files(text: str) -> dict[str, str]:
    """The files that a page asks to save."""
    return {match[1]: match[2] for match in RULE_FILE.finditer(text)}


def run(shown: Shown, folder: Path) -> Shown:
    """The same command with what it prints now, in as many lines."""
    program, *arguments = shlex.split(shown.command)
    command = {"gradcheck": [sys.executable, "-m", "gradcheck"], "python": [sys.executable]}[program]
    environment = {**os.environ, "COLUMNS": "80", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    lines = tuple(done.stdout.rstrip("\n").split("\n")) if done.stdout else ()
    if not lines or not lines[0]:
        raise AssertionError(f"{shown.command} printed nothing: {done.stderr}")
    count = len(shown.lines)
    return Shown(shown.command, lines if shown.whole else lines[:count], shown.whole)


def again(page: Path, folder: Path, *, skip: Iterable[str] = ()) -> str:
    """The page with the transcripts of this run. Commands that have a word of `skip` stay as they are."""
    text = page.read_text()
    files = rule_files((ROOT / "README.md").read_text()) | rule_files(text)
    for name, code in files.items():
        (folder / name).write_text(code)
    if not (folder / "examples").exists():
        (folder / "examples").symlink_to(ROOT / "examples")

    def block(match: re.Match[str]) -> str:
        made = [s if any(w in s.command for w in skip) else run(s, folder) for s in read(match[1])]
        return "\n".join(map(str, made)) + "\n"

    return CONSOLE.sub(block, text)


def main() -> None:
    """Write the transcripts of the pages named, or of every page, anew."""
    for page in [Path(name).resolve() for name in sys.argv[1:]] or PAGES:
        if CONSOLE.search(page.read_text()):
            with tempfile.TemporaryDirectory() as folder:
                page.write_text(again(page, Path(folder)))
            print(page.relative_to(ROOT))


if __name__ == "__main__":
    main()
