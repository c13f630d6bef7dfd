"""Fingerprint of an audit request. Saved results are reused only if it matches.

It is plain data, so that a message can name what differs: the request, the author's files, and versions. The author's
files are the folder of the rule, or its whole package, with compiled modules and data files; and every loaded module
that is not installed, with the files beside it. A file elsewhere that a rule opens by its path is not among them.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import pickle
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..reference.errors import GradcheckError
from ..rules.adapt import Rule
from ..rules.authors import OURS, installed, source_file
from .codec import package_version
from .provenance import installed_version
from .sources import source_digest

MOST_FILES = 5000
LARGEST = 2**24
"""Bytes of a file whose content is read; a larger one counts by its size and the time of its last change."""
OUTPUTS = {".html", ".jsonl", ".log", ".md", ".pyc", ".tmp", ".xml"}
_PACKAGES = ("hypothesis", "jax", "mpmath", "numpy", "python-flint", "sympy", "torch")


def fingerprint(rule: Rule, *values: Any, **request: Any) -> dict[str, Any]:
    """Return the fingerprint of a request.

    Args:
        rule: The rule, with the claims and networks on which it is audited.
        values: Objects that the request holds itself and does not name, such as the rule; None stands for none.
        request: The rest of the request, as plain data.

    Raises:
        GradcheckError: The rule has no file, its folder has too many, or a value does not pickle.
    """
    return {
        "rule": rule.origin,
        "claims": [str(claim) for claim in rule.declaration.claims],
        "networks": [repr(network) for network in rule.declaration.networks],
        "weighted": rule.declaration.weighted,
        **request,
        "values": _pickled(rule, [value for value in values if value is not None]),
        "files": author_files(rule),
        "versions": _versions(),
    }


def author_files(rule: Rule) -> dict[str, str]:
    """Return a digest of each file of the rule's author, by its path from the folder of the rule or its package.

    Raises:
        GradcheckError: The rule has no file, or its folder has too many.
    """
    file = source_file(rule.target)
    if file is None:
        raise GradcheckError(
            f"{rule.name} has no file: it was typed at a prompt or made by exec, so a change of it cannot be seen; "
            "write it into a .py file to save results"
        )
    package = getattr(sys.modules.get(rule.origin.partition(":")[0].partition(".")[0]), "__path__", [])
    home = next((folder for folder in map(Path, package) if folder in file.parents), file.parent)
    names = [str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())]
    loaded = {path for path in {file, *(Path(name).resolve() for name in names if name)} if not installed(path)}
    paths = {file, *loaded}.union(*(_files(folder) for folder in {path.parent for path in loaded}))
    for number, path in enumerate(() if installed(file) else _files(home, deep=True), start=1):
        if number > MOST_FILES:
            raise GradcheckError(
                f"{home}, the folder of {rule.name}, has more than {MOST_FILES} files, too many to see whether one "
                "has changed; move the rule to a folder of its own to save results"
            )
        paths.add(path)
    return {os.path.relpath(path, home): digest for path in sorted(paths) if (digest := _digest(path))}


def _files(folder: Path, *, deep: bool = False) -> Iterator[Path]:
    """Yield the files of a folder that may be code or data."""
    for place, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if deep and name[0] != "." and name != "__pycache__" and not Path(place, name, "pyvenv.cfg").exists()
        ]
        paths = [Path(place, name) for name in names if name[0] != "."]
        yield from (path for path in paths if path.suffix not in OUTPUTS and path.is_file())


def _digest(path: Path) -> str:
    """Return a digest of a file; empty for a report or a case, which gradcheck wrote."""
    try:
        status = path.stat()
        if status.st_size > LARGEST:
            return f"{status.st_size} bytes of {status.st_mtime_ns}"
        content = path.read_bytes()
    except OSError as error:
        return f"unreadable: {error.strerror}"
    written = path.suffix == ".json" and b'"gradcheck_version"' in content[:300]
    return "" if written else hashlib.sha256(content).hexdigest()[:16]


@functools.cache
def _versions() -> dict[str, str]:
    own = f"{package_version()}, {source_digest(*OURS)[:16]}"
    machine = f"{platform.system()} {platform.machine()}"
    packages = {name: version for name in _PACKAGES if (version := installed_version(name))}
    return {"python": platform.python_version(), "machine": machine, **packages, "gradcheck": own}


def _pickled(rule: Rule, values: list[Any]) -> str:
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=4)
    pickler.fast = True  # without a memo, equal values are equal bytes, whether or not they share parts
    try:
        pickler.dump(values)
    except Exception as error:
        raise GradcheckError(
            f"{rule.name} cannot be told from another rule ({type(error).__name__}: {error}); define it, and what it "
            "is compared with, at the top of a module to save results"
        ) from error
    return hashlib.sha256(buffer.getvalue()).hexdigest()[:16]
