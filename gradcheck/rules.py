"""Whatever a user hands over becomes a `Rule`: one way to run it, and one way to say what is wrong with it.

A rule is a function of a problem, or an online rule: a class (or an instance) with
`start(network, parameters, initial_state) -> state` and `step(state, x, y) -> (state, contribution)`
(`step(state, x, y, weight)` if it is declared weighted), and optionally `finish(state) -> contribution`.
Contributions sum to its gradient.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .algorithms.online import run_online
from .reference.claims import Claim, Declaration, Settings
from .reference.errors import GradcheckError
from .reference.network import RecurrentNetwork
from .reference.problem import Problem


@dataclass(frozen=True)
class Rule:
    """A rule under audit. `function(problem, **settings)` is its raw result, unchecked."""

    name: str
    function: Callable[..., Any]
    declaration: Declaration
    online: bool
    origin: str
    summary: str

    def __call__(self, problem: Problem, settings: Settings | None = None) -> Any:
        return self.function(problem, **(settings or {}))

    def settings(self, T: int) -> list[dict[str, int]]:
        """The keyword arguments to judge it at for T steps; one empty dict where it has none."""
        declared = self.declaration.settings
        return list(declared(T)) if declared else [{}]


def as_rule(
    target: Any,
    *,
    claims: Sequence[Claim] | None = None,
    networks: Sequence[RecurrentNetwork] | None = None,
    weighted: bool | None = None,
) -> Rule:
    """Make a `Rule` of a function, a class or an instance; keyword arguments override its declaration.

    Raises `GradcheckError` for what cannot be a rule, with what was wanted.
    """
    if isinstance(target, Rule):
        rule = target
    else:
        declaration = getattr(target, "__gradcheck__", None) or Declaration()
        online = hasattr(target, "start") and hasattr(target, "step")
        name = getattr(target, "__name__", None) or getattr(getattr(target, "func", None), "__name__", None)
        name = name or type(target).__name__
        if online:
            function = _online_function(target, name, declaration.weighted if weighted is None else weighted)
        elif callable(target) and not isinstance(target, type):
            _check_signature(target, name)
            function = target
        else:
            raise GradcheckError(
                f"{target!r} is no rule: wanted a function of a problem, or a class with start(network, parameters, "
                "initial_state) and step(state, x, y)"
            )
        source = inspect.unwrap(getattr(target, "func", target))
        origin = f"{getattr(source, '__module__', '?')}:{getattr(source, '__qualname__', name)}"
        document = inspect.getdoc(source) if getattr(source, "__doc__", None) else None
        rule = Rule(
            name, function, declaration, online, origin, (document or "").strip().split("\n\n")[0].replace("\n", " ")
        )
    changes: dict[str, Any] = {}
    if claims is not None:
        changes["claims"] = tuple(claims)
    if networks is not None:
        changes["networks"] = tuple(networks)
    if weighted is not None:
        changes["weighted"] = weighted
    if not changes:
        return rule
    return dataclasses.replace(rule, declaration=dataclasses.replace(rule.declaration, **changes))


def _online_function(target: Any, name: str, weighted: bool) -> Callable[..., Any]:
    if isinstance(target, type):
        try:
            inspect.signature(target).bind()
        except TypeError as error:
            raise GradcheckError(
                f"the online rule {name} cannot be made without arguments ({error}); give its settings defaults, or "
                "hand over an instance"
            ) from None

    def function(problem: Problem, **settings: int) -> Any:
        instance = target(**settings) if isinstance(target, type) else target
        return run_online(instance, problem, weighted=weighted)

    return function


def _check_signature(function: Callable[..., Any], name: str) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    required = [
        p.name
        for p in signature.parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    positional = [
        p
        for p in signature.parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
    ]
    if len(required) == 2 and required[1] == "noise":
        raise GradcheckError(
            f"{name}{signature} takes noise: stochastic rules are declared in the design but not judged by this version"
        )
    if len(required) > 1 or not positional:
        raise GradcheckError(
            f"a rule takes one argument, the problem; {name} is {name}{signature}. Settings such as tau go behind a *, "
            "or bind them with functools.partial"
        )


def load_rule(text: str) -> Any:
    """The object that "package.module:name" or "file.py:name" names, found from the current folder too.

    Raises `GradcheckError` where the text, the module or the name is wrong, saying which names exist.
    """
    module_name, colon, attribute = text.rpartition(":")
    if not colon or not module_name or not attribute:
        raise GradcheckError(f"{text!r} does not name a rule; write package.module:rule or path/to/file.py:rule")
    module = _import(module_name)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            names = [n for n, v in vars(module).items() if hasattr(v, "__gradcheck__")]
            names = names or [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
            there = ", ".join(sorted(names)) or "nothing that could be a rule"
            raise GradcheckError(f"{module_name} has no {attribute!r}; it has {there}")
        found = getattr(found, part)
    return found


def _import(name: str) -> Any:
    if name.endswith(".py"):
        path = Path(name)
        if not path.is_file():
            raise GradcheckError(f"there is no file {name}")
        specification = importlib.util.spec_from_file_location(path.stem, path)
        assert specification and specification.loader
        module = importlib.util.module_from_spec(specification)
        sys.modules.setdefault(path.stem, module)
        loader: Callable[[], Any] = lambda: specification.loader.exec_module(module)  # type: ignore[union-attr]  # noqa: E731
    else:
        loader = lambda: importlib.import_module(name)  # noqa: E731
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        loaded = loader()
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            raise GradcheckError(
                f"there is no module {error.name!r}; looked in the current folder and the installed packages"
            ) from error
        raise GradcheckError(f"{name} could not be imported: {error}; install it first") from error
    except Exception as error:
        raise GradcheckError(f"{name} could not be imported: {type(error).__name__}: {error}") from error
    return module if name.endswith(".py") else loaded
