"""Origin of a report: date, versions, platform, command, commit of the rule's repository."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from ..records import Provenance
from ..rules.authors import source_file
from .codec import package_version

PACKAGES = {
    "NumPy": "numpy", "SymPy": "sympy", "mpmath": "mpmath", "python-flint": "python-flint", "Hypothesis": "hypothesis",
}  # fmt: skip
"""Packages that have a part in every audit: the name to print, and the distribution."""
FRAMEWORKS = {"torch": ("torch", "torch"), "JAX": ("jax", "jax"), "autograd": ("autograd", "autograd")}
"""Packages named only where they were imported: the name to print, the module and the distribution."""


def collect(target: Any = None, *, command: str | None = None) -> Provenance:
    """Return the origin of a report that is made now, by this process.

    The date follows the environment variable SOURCE_DATE_EPOCH where that is set, as reproducible builds ask for.

    Args:
        target: The rule; its source file tells the repository. None where the report is not about one rule.
        command: The command line; that of this process if left out.
    """
    wanted = dict(PACKAGES)
    wanted |= {name: package for name, (module, package) in FRAMEWORKS.items() if module in sys.modules}
    return Provenance(
        gradcheck=package_version(),
        python=f"{platform.python_version()} ({platform.python_implementation()})",
        platform=f"{platform.system()} {platform.release()}, {platform.machine()}",
        packages={name: found for name, package in wanted.items() if (found := installed_version(package))},
        command=_command(sys.argv) if command is None else command,
        commit=_commit(target),
        date=_now(),
    )


def _now() -> str:
    try:
        fixed = float(os.environ["SOURCE_DATE_EPOCH"])
        moment = datetime.datetime.fromtimestamp(fixed, datetime.UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        moment = datetime.datetime.now(datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def installed_version(package: str) -> str:
    """Return the version of an installed distribution; empty where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _command(arguments: list[str]) -> str:
    """Return the command line with the program's name in place of its path; empty in an interactive session."""
    if not arguments or not arguments[0]:
        return ""
    program = Path(arguments[0])
    name = f"python -m {program.parent.name}" if program.name == "__main__.py" else program.name
    return " ".join([name, shlex.join(arguments[1:])]).strip()


def _commit(target: Any) -> str:
    """Return the commit of the repository that holds the rule, with "+" where its file was changed since."""
    file = source_file(target)
    if file is None:
        return ""
    commit = _git(file, "rev-parse", "HEAD")
    changed = commit and _git(file, "status", "--porcelain", "--", file.name)
    return f"{commit}+" if changed else commit


def _git(file: Path, *arguments: str) -> str:
    # A repository's settings may name programs to run; those that these two commands follow are switched off.
    command = [
        "git",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=/dev/null",
        "-C",
        str(file.parent),
        *arguments,
    ]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return ran.stdout.strip()
