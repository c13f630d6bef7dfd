"""Loading of rules by name, such as "package.module:rule" or "file.py:rule"."""

from __future__ import annotations

import ast
import difflib
import functools
import importlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..reference import errors
from ..reference.errors import GradcheckError

_WAYS = "write package.module:rule or path/to/file.py:rule"


def resolve(text: str) -> list[tuple[str, Any]]:
    """List the rules that a text names.

    Args:
        text: "module:name" or "file.py:name" for one rule, the name of a shipped rule, or a module or a file for
            every rule declared in it.

    Returns:
        Each rule with a text that names it alone.

    Raises:
        GradcheckError: The text names no rule. The message says which there are.
    """
    if not text.strip():
        raise GradcheckError(f"{text!r} names no rule; {_WAYS}, or a shipped rule: {', '.join(_shipped())}")
    if ":" in text and not text.endswith(".py"):
        return [(text, load_rule(text))]
    shipped = _shipped()
    if text in shipped:
        return [(text, shipped[text])]
    try:
        module = load_module(text)
    except NoSuchModule as error:
        meant = _meant(text.removesuffix(".py"), shipped) or f"; the shipped rules are {', '.join(shipped)}"
        raise GradcheckError(f"{error}{meant}") from None
    rules = declared_in(module)
    if not rules:
        functions = _could_be_rules(module)
        named = f"name one of its functions, such as {text}:{functions[0]}, or " if functions else ""
        raise GradcheckError(f"{text} declares no rule; {named}decorate one with @gradcheck.rule(...)")
    return [(f"{text}:{name}", rule) for name, rule in rules]


def load_rule(text: str) -> Any:
    """Return the object that a text names.

    Args:
        text: "package.module:name" or "file.py:name". The current folder is searched too.

    Raises:
        GradcheckError: The text, the module or the name is wrong. The message says which names there are.
    """
    module_name, colon, attribute = text.rpartition(":")
    if not colon or not module_name or not attribute:
        raise GradcheckError(f"{text!r} does not name a rule; {_WAYS}")
    module = load_module(module_name)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            names = [name for name, _ in declared_in(module)] or _could_be_rules(module)
            there = ", ".join(sorted(names)) or "nothing that could be a rule"
            raise GradcheckError(f"{module_name} has no {attribute!r}; it has {there}{_meant(attribute, names)}")
        found = getattr(found, part)
    return found


def _meant(text: str, names: Iterable[str]) -> str:
    """Suggest the nearest name, ignoring case and separators; empty if none is near."""
    plain = {re.sub(r"[\W_]", "", name).lower(): name for name in names}
    close = difflib.get_close_matches(re.sub(r"[\W_]", "", text).lower(), plain, 1)
    return f"; did you mean {plain[close[0]]}?" if close else ""


def findable(text: str) -> str:
    """Make the file in a rule's name absolute, so that it can be loaded from another folder."""
    file, colon, name = text.rpartition(":")
    return f"{Path(file).resolve()}:{name}" if colon and file.endswith(".py") else text


def declared_in(module: ModuleType) -> list[tuple[str, Any]]:
    """List the rules that a module declares, with their names, in order. Imported rules count if it exports them."""
    exported = getattr(module, "__all__", None)
    found: dict[int, tuple[str, Any]] = {}
    for name, value in list(vars(module).items()):
        if not hasattr(value, "__gradcheck__") or isinstance(value, ModuleType):
            continue
        own = getattr(inspect.unwrap(value), "__module__", None) == module.__name__
        own = own or isinstance(value, functools.partial)
        if name in exported if exported is not None else own:
            found.setdefault(id(value), (name, value))
    return list(found.values())


def _could_be_rules(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def _shipped() -> dict[str, Any]:
    from ..algorithms import CATALOGUE

    return {rule.__name__: rule for rule in CATALOGUE}  # type: ignore[union-attr]


class NoSuchModule(GradcheckError):
    """Raised where there is neither a module nor a file of a name."""


class _WrongNeighbour(GradcheckError):
    """Raised where a file would import another module than the one beside it."""


def load_module(name: str) -> ModuleType:
    """Import a module, or run a file.

    Args:
        name: A module's name, also of one in the current folder; or a path that ends in .py. A file can import the
            modules beside it.

    Raises:
        NoSuchModule: There is no such module or file.
        GradcheckError: It raised an error while it was imported.
    """
    _find_from(Path.cwd())
    if not name.endswith(".py") and not all(part.isidentifier() for part in name.split(".")):
        raise _missing(name, name)
    try:
        return _run_file(Path(name)) if name.endswith(".py") else importlib.import_module(name)
    except GradcheckError as error:
        raise _failed(name, error) from error
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if not name.endswith(".py") and (name == missing or name.startswith(f"{missing}.")):
            raise _missing(name, missing) from None
        raise GradcheckError(f"{name} could not be imported: {error}{_remedy(missing)}") from error
    except (Exception, SystemExit) as error:
        raise _failed(name, error) from error


def _run_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise NoSuchModule(f"there is no file {str(path)!r}")
    path = path.resolve()
    loaded = sys.modules.get(path.stem)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    _require_its_own(path)
    _FOLDERS.add(path.parent)
    _find_from(path.parent)
    # A file called random.py must not replace the module that others import under that name.
    name = path.stem if loaded is None and importlib.util.find_spec(path.stem) is None else f"_gradcheck_{path.stem}"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


_FOLDERS: set[Path] = set()
"""Folders of the files that were run; imports search them."""


def _require_its_own(path: Path) -> None:
    """Raise `_WrongNeighbour` if another module with the name of one beside the file is loaded already."""
    seen, waiting = set[Path](), [path]
    while waiting:
        file = waiting.pop()
        for name in _imported(file):
            beside = next(
                (p for p in (path.parent / f"{name}.py", path.parent / name / "__init__.py") if p.is_file()), None
            )
            used = getattr(sys.modules.get(name), "__file__", None)
            if beside is None or beside in seen:
                continue
            seen.add(beside)
            waiting.append(beside)
            if used and Path(used).resolve() != beside and _found_in(Path(used).resolve()) in _FOLDERS:
                raise _WrongNeighbour(
                    f"{file.name} imports {name}, which is {beside}, but {used} is in use by that name; audit them in "
                    "two runs, or rename one of them"
                )


def _found_in(file: Path) -> Path:
    """Return the folder that holds a module or, for an __init__.py, the package."""
    return file.parent.parent if file.name == "__init__.py" else file.parent


def _imported(file: Path) -> set[str]:
    """List the top-level modules that a file imports anywhere."""
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (OSError, SyntaxError, ValueError):  # reported when it is run
        return set()
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in names}


def _find_from(folder: Path) -> None:
    if str(folder) not in sys.path and not (folder == Path.cwd() and "" in sys.path):
        sys.path.insert(0, str(folder))


def _missing(name: str, missing: str) -> NoSuchModule:
    if Path(name).is_dir() and not missing.isidentifier():
        return NoSuchModule(f"{name!r} is a folder; name a file in it, such as {Path(name, 'my_rules.py')}")
    text = f"there is no module {missing!r}; looked in the current folder and among the installed packages"
    if Path(f"{name}.py").is_file():
        text += f"; for the file write {name}.py"
    return NoSuchModule(text)


def _remedy(missing: str) -> str:
    """Return the remedy for a module that a user's file cannot import."""
    package, _, inside = missing.partition(".")
    if inside and package in sys.modules:
        return f"; the installed {package} lacks it: install another version"
    return "; try: pip install " + (f"'rnn-gradcheck[{package}]'" if package in _EXTRAS else package)


_EXTRAS = ("torch", "jax")


def _failed(name: str, error: BaseException) -> GradcheckError:
    if isinstance(error, (NoSuchModule, _WrongNeighbour)):
        return error
    if isinstance(error, SyntaxError):
        where = f" (line {error.lineno} of {error.filename})" if error.filename else ""
        return GradcheckError(f"{name} is not valid Python: {error.msg}{where}")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.line and "importlib" not in f.filename]
    frames = [f for f in frames if not Path(f.filename).is_relative_to(_HARNESS)]
    if isinstance(error, GradcheckError):  # name the user's line that uses gradcheck wrongly
        frames = [f for f in frames if not any(Path(f.filename).is_relative_to(folder) for folder in _GROUND)] or frames
        where = f" ({frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line})" if frames else ""
        return GradcheckError(f"{name} could not be imported: {error}{where}")
    where = f", at {frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line}" if frames else ""
    what = f": {error}" if str(error) else ""
    return GradcheckError(f"{name} could not be imported; it raised {type(error).__name__}{what}{where}")


_HARNESS = Path(__file__).parents[1]
_GROUND = (Path(errors.__file__).parent, Path(errors.__file__).parents[1] / "algorithms")
