"""What was measured, as JSON that a later commit can be compared with.

`schema` and `version` say what the file is; a row has either `ratio`, `quartiles`, `met` and `seconds`, or `skipped`.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradcheck.reference.errors import GradcheckError

from .growth import Line
from .rows import Goal, Row, Skipped
from .threads import FIXED, THREADS

SCHEMA, VERSION = "gradcheck benchmarks", 1
_PACKAGES = ("numpy", "python-flint", "sympy", "torch", "jax")


@dataclass(frozen=True)
class Result:
    """One row as measured. skipped: why it was not; then the rest is None or empty."""

    name: str
    goal: Goal
    ratio: float | None = None
    quartiles: tuple[float, float] | None = None
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    skipped: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met, None for a row that was skipped."""
        return None if self.ratio is None else self.goal.met(self.ratio)


@dataclass(frozen=True)
class Surroundings:
    """Where it was measured. commit: empty where there is no git; with "+" if files differed from it."""

    machine: str
    versions: dict[str, str]
    threads: int | None
    commit: str

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        threads = f"{self.threads} thread" if self.threads else "threads as NumPy chose"
        return f"{self.machine}; {threads}; {versions}; commit {self.commit or 'unknown'}"


@dataclass(frozen=True)
class Results:
    """A run of the benchmarks."""

    surroundings: Surroundings
    rows: tuple[Result, ...]
    growth: tuple[Line, ...] = ()


def measure(row: Row) -> Result:
    """Run a row; one that cannot run here says why."""
    try:
        outcome = row.run()
    except Skipped as reason:
        return Result(row.name, row.goal, skipped=str(reason))
    return Result(row.name, row.goal, outcome.ratio, outcome.quartiles, outcome.seconds)


def merged(rounds: Sequence[Result]) -> Result:
    """One row measured in several rounds: the median, and quartiles from the lowest first to the highest third.

    Turns that follow each other share their moment of the machine; rounds that are minutes apart do not.
    """
    first, ratios = rounds[0], [row.ratio for row in rounds if row.ratio is not None]
    if len(ratios) < 2:
        return first
    ends = [end for row in rounds if row.ratio is not None for end in row.quartiles or (row.ratio, row.ratio)]
    seconds = {label: statistics.median(row.seconds[label] for row in rounds) for label in first.seconds}
    return Result(first.name, first.goal, statistics.median(ratios), (min(ends), max(ends)), seconds)


def surroundings() -> Surroundings:
    """This machine, these packages, this commit."""
    versions = {"Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return Surroundings(machine, versions, THREADS if FIXED else None, _commit(Path(__file__).parent.parent))


def _commit(root: Path) -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(("git", "-C", str(root), *arguments), check=True, capture_output=True, text=True).stdout

    try:
        if Path(git("rev-parse", "--show-toplevel").strip()).resolve() != root.resolve():
            return ""  # the repository of somebody else, around an unpacked archive
        changed = "+" if git("status", "--porcelain", "--untracked-files=no").strip() else ""
        return git("rev-parse", "HEAD").strip() + changed
    except (OSError, subprocess.CalledProcessError):
        return ""


def write(results: Results, path: Path) -> None:
    """Write the results as JSON. Raises `GradcheckError` where the file cannot be written."""
    rows = [
        {"name": row.name, "goal": dataclasses.asdict(row.goal), "skipped": row.skipped}
        if row.ratio is None
        else {
            "name": row.name,
            "goal": dataclasses.asdict(row.goal),
            "ratio": row.ratio,
            "quartiles": row.quartiles,
            "met": row.met,
            "seconds": row.seconds,
        }
        for row in results.rows
    ]
    content = {
        "schema": SCHEMA,
        "version": VERSION,
        **dataclasses.asdict(results.surroundings),
        "rows": rows,
        "growth": [dataclasses.asdict(line) for line in results.growth],
    }
    try:
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise GradcheckError(f"the results cannot be written to {path}: {error.strerror}") from None


def read(path: Path) -> Results:
    """What `write` wrote. Raises `GradcheckError` for any other file."""
    wanted = "wanted a file that `python -m benchmarks --json FILE` wrote"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GradcheckError(f"{path} cannot be read: {error.strerror}; {wanted}") from None
    except ValueError as error:
        raise GradcheckError(f"{path} is no JSON ({error}); {wanted}") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        kind = f"schema {content['schema']!r}" if isinstance(content, dict) and "schema" in content else "no schema"
        raise GradcheckError(f"{path} is no benchmark result: {kind} where {SCHEMA!r} should be; {wanted}")
    if content.get("version") != VERSION:
        raise GradcheckError(
            f"{path} has version {content.get('version')!r} of the results; this reads {VERSION}: "
            "run the benchmarks of the older commit with this commit's benchmarks/, or compare there"
        )
    try:
        return _parsed(content)
    except (KeyError, TypeError, ValueError) as error:
        raise GradcheckError(
            f"{path} is a damaged benchmark result: {type(error).__name__} {error}; {wanted}"
        ) from None


def _parsed(content: dict[str, Any]) -> Results:
    where = Surroundings(str(content["machine"]), dict(content["versions"]), content["threads"], str(content["commit"]))
    return Results(where, tuple(map(_result, content["rows"])), tuple(map(_line, content["growth"])))


def _result(row: dict[str, Any]) -> Result:
    name, goal = str(row["name"]), Goal(float(row["goal"]["bound"]), bool(row["goal"]["at_least"]))
    if "skipped" in row:
        return Result(name, goal, skipped=str(row["skipped"]))
    quartiles = None if row["quartiles"] is None else _pair(row["quartiles"])
    seconds = {str(label): float(value) for label, value in row["seconds"].items()}
    return Result(name, goal, float(row["ratio"]), quartiles, seconds)


def _pair(values: Sequence[Any]) -> tuple[float, float]:
    low, high = values
    return float(low), float(high)


def _line(line: dict[str, Any]) -> Line:
    return Line(**{**line, "sizes": tuple(line["sizes"]), "seconds": tuple(line["seconds"])})
