"""Fingerprint of an audit request. Saved results are reused only if it matches.

It is plain data, so that what differs can be named: the request, the author's files, and versions. The author's files
are the folder of the rule, or its whole package, with compiled modules and data files; and every loaded module that is
not installed, with the files beside it. A file elsewhere that a rule opens by its path is not among them.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import io
import os
import pickle
import platform
import sys
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from gradcheck.reference.errors import GradcheckError

from .. import algorithms, reference
from ..rules.adapt import Rule
from .codec import package_version

MOST_FILES = 5000
LARGEST = 2**24
"""Bytes of a file whose content is read; a larger one counts by its size and the time of its last change."""
OUTPUTS = {".html", ".jsonl", ".log", ".md", ".pyc", ".tmp", ".xml"}
_PACKAGES = ("hypothesis", "jax", "mpmath", "numpy", "python-flint", "sympy", "torch")


def fingerprint(rule: Rule, *values: Any, **request: Any) -> dict[str, Any]:
    """Return the fingerprint of a request.

    Args:
        rule: The rule, with the claims and networks on which it is audited.
        values: Objects that were handed over rather than named, such as the rule itself; None stands for none.
        request: The rest of the request, as plain data.

    Raises:
        GradcheckError: The rule has no file, its folder is too large to be read, or a value does not pickle.
    """
    declared = rule.declaration
    return {
        "rule": rule.origin,
        "claims": [str(claim) for claim in declared.claims],
        "networks": [repr(network) for network in declared.networks],
        "weighted": declared.weighted,
        **request,
        "values": _pickled(rule, [value for value in values if value is not None]),
        "files": author_files(rule),
        "versions": _versions(),
    }


def author_files(rule: Rule) -> dict[str, str]:
    """Return a digest of each file of the rule's author. Raises `GradcheckError` for a rule without a file."""
    file = _file(rule)
    package = getattr(sys.modules.get(rule.origin.partition(":")[0].partition(".")[0]), "__path__", [file.parent])
    home = next((each for each in map(Path, package) if each in file.parents), file.parent)
    modules = [str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())]
    loaded = {path for path in {file, *(Path(name).resolve() for name in modules if name)} if not _installed(path)}
    paths = {file, *loaded} | {path for folder in {path.parent for path in loaded} for path in _beside(folder)}
    paths |= set() if _installed(file) else set(_within(home, rule))
    digests = {os.path.relpath(path, home): _digest(path) for path in sorted(paths)}
    return {name: digest for name, digest in digests.items() if digest}


def _file(rule: Rule) -> Path:
    """Return the file in which the rule's code stands."""
    target = rule.target
    while hasattr(target, "func"):
        target = target.func
    target = inspect.unwrap(target)
    kind = target if inspect.isroutine(target) or isinstance(target, type) else type(target)
    codes = [each.__code__ for each in (kind, *getattr(kind, "__dict__", {}).values()) if hasattr(each, "__code__")]
    module = sys.modules.get(getattr(kind, "__module__", None) or "")
    names = [code.co_filename for code in codes] or [getattr(module, "__file__", None) or ""]
    file = next((Path(name) for name in names if Path(name).is_file()), None)
    if file is None:
        raise GradcheckError(
            f"{rule.name} has no file: it was typed at a prompt or made by exec, so its saved results could not be "
            "told from those of another rule. Write it into a .py file to use results"
        )
    return file.resolve()


def _within(folder: Path, rule: Rule) -> Iterator[Path]:
    count = 0
    for place, folders, _ in os.walk(folder):
        skipped = {name for name in folders if name[0] in "._" or Path(place, name, "pyvenv.cfg").exists()}
        folders[:] = set(folders) - skipped - {"node_modules"}
        paths = _beside(Path(place))
        yield from paths
        count += len(paths)
        if count > MOST_FILES:
            raise GradcheckError(
                f"{folder}, the folder of {rule.name}, holds more than {MOST_FILES} files, too many to tell whether "
                "one of them has changed; put the rule into a folder of its own to use results"
            )


def _beside(folder: Path) -> list[Path]:
    """Return the files of a folder that may be code or data."""
    try:
        names = [each.name for each in os.scandir(folder) if each.is_file()]
    except OSError:
        return []
    return [folder / name for name in names if name[0] != "." and Path(name).suffix not in OUTPUTS]


def _digest(path: Path) -> str:
    """Return what stands for the content of a file; empty for a file that gradcheck wrote."""
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
def _folders() -> tuple[Path, ...]:
    """Return the folders of installed code, gradcheck's own last."""
    names = ("stdlib", "platstdlib", "purelib", "platlib", "scripts")
    installed = [path for name in names if (path := sysconfig.get_path(name))]
    own = [str(Path(__file__).parents[1]), reference.__path__[0], algorithms.__path__[0]]
    return tuple(Path(path).resolve() for path in [*installed, *own])


def _installed(path: Path) -> bool:
    return any(map(path.is_relative_to, _folders()))


@functools.cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    source = hashlib.sha256()
    for path in sorted(path for folder in _folders()[-3:] for path in folder.rglob("*.py")):
        source.update(f"{path.name} {_digest(path)}\n".encode())
    return found | {"gradcheck": f"{package_version()}, {source.hexdigest()[:16]}"}


def _pickled(rule: Rule, values: list[Any]) -> str:
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=4)
    pickler.fast = True  # without a memo, equal values are equal bytes, whether or not they share parts
    try:
        pickler.dump(values)
    except Exception as error:
        raise GradcheckError(
            f"{rule.name} cannot be told from another rule ({type(error).__name__}: {error}), so its results cannot be "
            "saved; define it, and what it is compared with, at the top of a module"
        ) from error
    return hashlib.sha256(buffer.getvalue()).hexdigest()[:16]
