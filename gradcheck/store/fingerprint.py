"""What a run is of: what it must have in common with one before it for the results of that to be its own."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..engine.units import Asked
from ..reference.claims import Equals
from ..rules.adapt import as_rule


def identity(asked: Sequence[Asked]) -> dict[str, Any]:
    """Of each rule its source, with that of every other file of its author; not how many processes there are."""
    return {"rules": [_identity(each) for each in asked]}


def _identity(asked: Asked) -> dict[str, Any]:
    rule, _ = asked.rule()
    declared = rule.declaration
    return {
        "name": asked.name,
        "claims": [str(claim) for claim in declared.claims],
        "networks": [repr(network) for network in declared.networks],
        "weighted": declared.weighted,
        "effort": asked.effort,
        "seed": asked.seed,
        "limits": None if asked.limits is None else [asked.limits.call_seconds, asked.limits.memory],
        "source": digest(rule.target, asked.target, *(c.target for c in declared.claims if isinstance(c, Equals))),
    }


def digest(target: Any, *asked: Any) -> str:
    """Of what a rule is: the files beside it, every module that is loaded and not installed, and the rule's own values.

    target: the function or class that is run. asked: the rule as it was handed over, and others that it is compared
    with: their code, attributes and arguments count too; a text names a rule and has none.
    """
    contents = hashlib.sha256(repr(as_rule(target).origin).encode())
    objects = [target, *(each for each in asked if not isinstance(each, str))]
    for each in objects:
        contents.update(fingerprint(each))
    files = {module for module in map(_of_its_author, list(sys.modules.values())) if module is not None}
    files |= {home for home in map(_file_of, objects) if home is not None}
    for folder in {file.parent for file in files}:  # of these some may be imported later
        files |= {path.resolve() for path in folder.glob("*.py")}
    for file in sorted(files):
        with contextlib.suppress(OSError):
            contents.update(hashlib.sha256(file.read_bytes()).digest())
    return contents.hexdigest()


def fingerprint(value: Any) -> bytes:
    """The same for the same code and values in any process: sets have no order, nor have dicts.

    Of a function that is its code, what it encloses, and what it names of its module; of a class all that is in it; of
    an object what it would be pickled as. What tells nothing of itself counts by its type.
    """
    try:
        return _Fingerprint().of(value)
    except RecursionError:
        return _hashed("deep", repr(type(value)).encode())


class _Fingerprint:
    def __init__(self) -> None:
        self._met: dict[int, tuple[bytes, Any]] = {}

    def of(self, value: Any) -> bytes:
        """What is met again, or within itself, counts by when it was met first."""
        if type(value) in (type(None), bool, int, float, complex, str, bytes):
            return _hashed(type(value).__name__, repr(value).encode())
        if id(value) not in self._met:
            self._met[id(value)] = str(len(self._met)).encode(), value  # kept alive, so that its id stays its own
            found = self._of(value)
            self._met[id(value)] = found, value
        return self._met[id(value)][0]

    def _of(self, value: Any) -> bytes:
        if type(value) in (tuple, list):  # of a kind derived from these, what it would be pickled as
            return _hashed("sequence", *map(self.of, value))
        if type(value) in (set, frozenset):
            return _hashed("set", *sorted(map(self.of, value)))
        if type(value) is dict:
            return _hashed("dict", *sorted(self.of(key) + self.of(entry) for key, entry in value.items()))
        if isinstance(value, CodeType):
            return _hashed("code", value.co_code, *map(self.of, (value.co_consts, value.co_names, value.co_varnames)))
        if isinstance(value, FunctionType):
            return self._of_function(value)
        if isinstance(value, MethodType):
            return _hashed("method", self.of(value.__func__), self.of(value.__self__))
        if isinstance(value, functools.partial):
            return _hashed("partial", *map(self.of, (value.func, value.args, value.keywords)))
        if isinstance(value, property):
            return _hashed("property", *map(self.of, (value.fget, value.fset, value.fdel)))
        if isinstance(value, type):
            return self._of_class(value)
        if isinstance(value, ModuleType):
            return self._of_name(value)
        if isinstance(value, BuiltinFunctionType):
            return _hashed("builtin", self._of_name(value), self.of(value.__self__))
        if isinstance(value, (np.ndarray, np.generic)) and value.dtype != object:
            return _hashed("array", str((value.dtype, value.shape)).encode(), np.ascontiguousarray(value).tobytes())
        return self._of_object(value)

    def _of_name(self, value: Any) -> bytes:
        name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', getattr(value, '__name__', ''))}"
        return _hashed("name", name.encode())

    def _of_class(self, kind: type) -> bytes:
        if _installed_module(kind.__module__):
            return self._of_name(kind)
        # Python adds names of its own to a class, some of them only when it is used.
        own = {name: each for name, each in vars(kind).items() if isinstance(each, _METHODS) or name[:2] != "__"}
        return _hashed("class", self._of_name(kind), self.of(kind.__bases__), self.of(own))

    def _of_function(self, function: FunctionType) -> bytes:
        module = sys.modules.get(function.__module__ or "")
        installed = function.__globals__ is getattr(module, "__dict__", None) and _installed_module(function.__module__)
        cells = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
        parts = [cells, function.__defaults__, function.__kwdefaults__]
        if installed:  # it may hold what is not
            return _hashed("function", self._of_name(function), *map(self.of, parts))
        named = [function.__globals__.get(name) for name in _names_in(function.__code__)]
        return _hashed("function", *map(self.of, (function.__code__, *parts, named, vars(function))))

    def _of_object(self, value: Any) -> bytes:
        kind = self.of(type(value))
        if getattr(value, "__wrapped__", None) is not None:  # compiled, cached, or the like
            return _hashed("object", kind, self.of(value.__wrapped__))
        with contextlib.suppress(Exception):
            return _hashed("array", kind, self.of(np.asarray(value.detach().cpu())))  # a tensor
        with contextlib.suppress(Exception):
            made = value.__reduce_ex__(4)
            parts = [made] if isinstance(made, str) else [made[0], made[1], *map(_listed, made[2:5])]
            return _hashed("object", kind, *map(self.of, parts))
        return _hashed("object", kind)


_METHODS = (FunctionType, staticmethod, classmethod, property)


def _hashed(kind: str, *parts: bytes) -> bytes:
    sizes = ",".join(str(len(part)) for part in parts)
    return hashlib.sha256(b"".join((f"{kind}:{sizes}:".encode(), *parts))).digest()


def _listed(part: Any) -> Any:
    """The state of an object as it is; entries that come one by one, together."""
    return list(part) if hasattr(part, "__next__") else part


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _names_in(code: CodeType) -> list[str]:
    """What it names beyond itself, and what the functions in it name."""
    within = [name for each in code.co_consts if isinstance(each, CodeType) for name in _names_in(each)]
    return [*code.co_names, *within]


def _installed_module(name: str | None) -> bool:
    module = sys.modules.get(name or "")
    return module is not None and name != "__main__" and _of_its_author(module) is None


def _of_its_author(module: Any) -> Path | None:
    """The file of a module that neither Python nor gradcheck has, nor is installed beside them."""
    name, path = getattr(module, "__name__", ""), getattr(module, "__file__", None)
    if not isinstance(path, str) or not path.endswith(".py") or name.partition(".")[0] in ("gradcheck", "_pytest"):
        return None
    file = Path(path).resolve()
    return None if any(file.is_relative_to(home) for home in _installed()) or not file.is_file() else file


@functools.cache
def _installed() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({Path(path).resolve() for name in names if (path := sysconfig.get_path(name))})


def _file_of(target: Any) -> Path | None:
    target = getattr(target, "func", target)
    kind = target if inspect.isroutine(target) or isinstance(target, type) else type(target)
    try:
        file = inspect.getsourcefile(inspect.unwrap(kind))
    except TypeError:
        return None
    found = Path(file).resolve() if file else None
    return found if found and found.is_file() and not any(map(found.is_relative_to, _installed())) else None
