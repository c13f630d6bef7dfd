"""The author's own files: the one that defines a rule, and those that are neither installed nor ours."""

from __future__ import annotations

import functools
import inspect
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import algorithms, reference

OURS = tuple(
    Path(path).resolve() for path in (str(Path(__file__).parents[1]), *reference.__path__, *algorithms.__path__)
)
"""The folders of this package."""
_ADAPTERS = (Path(__file__).resolve().parents[1], *(Path(path).resolve() for path in reference.__path__))
_SYSTEM = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts"))
_PACKAGES = {"site-packages", "dist-packages"}
_INSTALLED = (*(Path(path).resolve() for path in _SYSTEM), *OURS)


def source_file(target: Any) -> Path | None:
    """Return the file that defines a function, a class, or the class of another object; None where there is none.

    Args:
        target: The object. Looks through `functools.partial` and `__wrapped__`.
    """
    return next((Path(name).resolve() for name in _file_names(target) if Path(name).is_file()), None)


def _file_names(target: Any) -> list[str]:
    """Return the names of the files that hold a rule's code, whether or not there are such files."""
    if parts := getattr(target, "__implementations__", ()):
        return [name for part in parts for name in _file_names(part)]
    while isinstance(target, functools.partial):
        target = target.func
    target = inspect.unwrap(target)
    kind = target if inspect.isroutine(target) or isinstance(target, type) else type(target)
    functions = [each for each in (kind, *getattr(kind, "__dict__", {}).values()) if inspect.isfunction(each)]
    module = sys.modules.get(getattr(kind, "__module__", None) or "")
    return [each.__code__.co_filename for each in functions] or [str(getattr(module, "__file__", None) or "")]


def installed(path: Path) -> bool:
    """Return True for a file of the standard library, of an installed package, or of this one."""
    return not _PACKAGES.isdisjoint(path.parts) or any(map(path.is_relative_to, _INSTALLED))


def authored_by(target: Any) -> Callable[[str], bool]:
    """Return a function that tells the files of a rule's author, by name.

    They are the folder of the rule's own file, and all that is neither installed nor ours. Of a rule of ours it is its
    own file: what it imports is tested on its own, as are the adapters of torch's and JAX's functions.

    Args:
        target: The rule, as the author wrote it.
    """
    # What was typed at a prompt has a name and no file; <string> is also the name of code that libraries generate.
    file, own = source_file(target), set(_file_names(target)) - {"<string>"}
    if file is not None and any(map(file.is_relative_to, _ADAPTERS)):
        file, own = None, set()
    home = file.parent if file is not None and not any(map(file.is_relative_to, OURS)) else None

    @functools.cache
    def authored(name: str) -> bool:
        if name in own:
            return True
        path = Path(name)
        if not name.endswith(".py") or not path.is_file():
            return False
        path = path.resolve()
        return path == file or not installed(path) or (home is not None and path.is_relative_to(home))

    return authored
