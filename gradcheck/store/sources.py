"""Source files: the one that defines a rule, and a digest of those of whole folders."""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
from pathlib import Path
from typing import Any


def source_file(target: Any) -> Path | None:
    """Return the file that defines a function, a class, or the class of another object; None where there is none.

    Args:
        target: The object. Looks through `functools.partial` and `__wrapped__`.
    """
    while isinstance(target, functools.partial):
        target = target.func
    target = inspect.unwrap(target)
    kind = target if inspect.isroutine(target) or isinstance(target, type) else type(target)
    functions = [each for each in (kind, *getattr(kind, "__dict__", {}).values()) if inspect.isfunction(each)]
    module = sys.modules.get(getattr(kind, "__module__", None) or "")
    names = [each.__code__.co_filename for each in functions] or [str(getattr(module, "__file__", None) or "")]
    return next((Path(name).resolve() for name in names if Path(name).is_file()), None)


def source_digest(*folders: Path) -> str:
    """Return a digest of all modules in the folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:32]
