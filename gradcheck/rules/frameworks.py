"""What `gradcheck.torch` and `gradcheck.jax` share: finding the framework, and making a rule of what it computes."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..reference.claims import Claim, Exact
from ..reference.claims import rule as declare
from ..reference.errors import GradcheckError, UnsupportedOperation
from ..reference.networks.base import RecurrentNetwork
from ..reference.problem import Problem
from .adapt import WrongResult

Rule = Callable[[Problem], dict[str, Any]]


def required(package: str) -> Any:
    """The framework of that name, imported. Raises `GradcheckError` with its install line where it is missing."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise GradcheckError(f"{package} is not installed; pip install 'rnn-gradcheck[{package}]'") from None


def named(source: Any, name: str | None) -> str:
    """What a rule made of `source` is called in reports and messages."""
    return name or str(getattr(_inner(source), "__name__", type(source).__name__))


def _inner(source: Any) -> Any:
    """The function, also of a `functools.partial`."""
    while isinstance(source, functools.partial):
        source = source.func
    return source


def declared(
    computed: Rule,
    source: Any,
    name: str | None,
    module: str,
    claims: Sequence[Claim],
    networks: Sequence[RecurrentNetwork] | None,
    weighted: bool,
) -> Rule:
    """`computed` as a rule with its declaration, and with the name and docstring of `source`, which it runs.

    module: where the rule will be found. Without a claim it claims `Exact()`. Raises `GradcheckError` as
    `gradcheck.rule` does.
    """
    source = _inner(source)
    computed.__name__ = named(source, name)
    computed.__qualname__ = name or str(getattr(source, "__qualname__", computed.__name__))
    computed.__module__ = module
    computed.__doc__ = source.__doc__
    return declare(*(claims or (Exact(),)), networks=networks, weighted=weighted)(computed)


def check_function(function: Any, framework: str) -> None:
    """Raise `GradcheckError` unless `function` could be one of a framework's arrays."""
    form = "(parameters, inputs, targets, initial_state) that returns a loss or a dict of gradients"
    if isinstance(function, Claim):
        raise GradcheckError(
            f"the claim {function} stands where the function belongs; write gradcheck.{framework}.rule(function, "
            f"gradcheck.Exact()) with a function{form}"
        )
    if not callable(function) or isinstance(function, type):
        raise GradcheckError(f"{function!r:.80} cannot be made a rule; wanted a function{form}")


def floats(array: Any, kind: str) -> Any:
    """The array, if it is one of floats; a framework's arrays carry no other scalar.

    Raises `UnsupportedOperation` otherwise, so that the rule is judged as a black box.
    """
    if type(array) is np.ndarray and array.dtype.kind == "f":
        return array
    field = getattr(getattr(array, "field", None), "name", "other")
    raise UnsupportedOperation(f"a {kind}", field, "it holds floats, so the rule is judged as a black box")


def returned(value: Any, name: str, hint: str) -> WrongResult:
    """The error for a function that returned neither a loss nor gradients."""
    shape = getattr(value, "shape", None)
    what = "None" if value is None else f"a {type(value).__name__}"
    shaped = f" of shape {tuple(shape)}" if shape is not None else ""
    return WrongResult(f"{name} returned {what}{shaped}; wanted {hint}")


HALF = ("float16", "bfloat16")


def refuse_half(dtype: str, name: str, key: str) -> None:
    """Raise `WrongResult` for formats too coarse to hold the problems' own numbers: then nothing is their rounding."""
    if dtype in HALF:
        raise WrongResult(f"{name} returned {dtype} for {key}; wanted float32 or float64, which rules are judged at")
