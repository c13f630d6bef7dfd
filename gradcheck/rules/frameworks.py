"""Parts that `gradcheck.torch` and `gradcheck.jax` share: import of the framework, and declaration of the rule."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..reference import wanted
from ..reference.claims import Claim, Exact
from ..reference.claims import rule as declare
from ..reference.errors import GradcheckError, UnsupportedOperation
from ..reference.networks.base import RecurrentNetwork
from ..reference.problem import Problem
from .adapt import WrongResult, wanted_by

Rule = Callable[[Problem], dict[str, Any]]


def required(package: str) -> Any:
    """Import a framework.

    Raises:
        GradcheckError: It is not installed. The message gives the install line.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise GradcheckError(f"{package} is not installed; pip install 'rnn-gradcheck[{package}]'") from None


def named(source: Any, name: str | None) -> str:
    """Return the name, in reports and messages, of a rule made of `source`."""
    return name or str(getattr(_inner(source), "__name__", type(source).__name__))


def _inner(source: Any) -> Any:
    """Return the function inside any number of `functools.partial`."""
    while isinstance(source, functools.partial):
        source = source.func
    return source


def kinds(claims: Sequence[Claim]) -> wanted.Of:
    """Return the kinds of arrays whose gradient a rule with these claims returns."""
    return wanted_by(*claims) or wanted.DEFAULT


def declared(
    computed: Rule,
    source: Any,
    name: str | None,
    module: str,
    claims: Sequence[Claim],
    networks: Sequence[RecurrentNetwork] | None,
    weighted: bool,
) -> Rule:
    """Declare `computed` as a rule with the name and docstring of `source`.

    Args:
        computed: The function of a problem that runs `source`.
        source: The user's function or layer.
        name: Its name in reports, or None for its own.
        module: The module in which the user keeps the rule.
        claims: `Exact()` if empty.
        networks: As for `gradcheck.rule`.
        weighted: As for `gradcheck.rule`.

    Raises:
        GradcheckError: As for `gradcheck.rule`.
    """
    source = _inner(source)
    computed.__name__ = named(source, name)
    computed.__qualname__ = name or str(getattr(source, "__qualname__", computed.__name__))
    computed.__module__ = module
    computed.__doc__ = source.__doc__
    return declare(*(claims or (Exact(),)), networks=networks, weighted=weighted)(computed)


def check_function(function: Any, framework: str) -> None:
    """Raise `GradcheckError` unless `function` is callable and neither a class nor a claim."""
    form = "(parameters, inputs, targets, initial_state) that returns a loss or a dict of gradients"
    if isinstance(function, Claim):
        raise GradcheckError(
            f"the first argument is the claim {function}; pass the function first, as in "
            f"gradcheck.{framework}.rule(function, gradcheck.Exact()), with a function{form}"
        )
    if not callable(function) or isinstance(function, type):
        raise GradcheckError(f"{function!r:.80} cannot be made a rule; pass a function{form}")


BATCHED = ("lengths", "mask")
"""Parameters by which a function asks for more of a batch than the arrays that every problem has."""


def asked_for(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return which of `BATCHED` a function has as parameters."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ()
    return tuple(name for name in BATCHED if name in parameters)


def of_batch(problem: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return lengths and mask of a problem by name.

    Raises:
        GradcheckError: The problem is of a single sequence.
    """
    try:
        return {name: getattr(problem, name) for name in names}
    except AttributeError:
        raise GradcheckError(
            "a function that takes lengths or mask is for batches; declare one: networks=[gradcheck.Batch(...)]"
        ) from None


def floats(array: Any, kind: str) -> Any:
    """Return an array of floats in the byte order of this machine, which frameworks want.

    Raises:
        UnsupportedOperation: It holds another scalar, which a framework's arrays cannot carry. The rule is judged as a
            black box then.
    """
    if type(array) is np.ndarray and array.dtype.kind == "f":
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    field = getattr(getattr(array, "field", None), "name", "other")
    raise UnsupportedOperation(f"a {kind}", field, "it holds floats, so the rule is judged as a black box")


def returned(value: Any, name: str, hint: str) -> WrongResult:
    """Return the error for a function that returned neither a loss nor gradients."""
    shape = getattr(value, "shape", None)
    what = "None" if value is None else f"a {type(value).__name__}"
    shaped = f" of shape {tuple(shape)}" if shape is not None else ""
    return WrongResult(f"{name} returned {what}{shaped}; return {hint}")


HALF = ("float16", "bfloat16")


def refuse_half(dtype: str, name: str, key: str) -> None:
    """Raise `WrongResult` for a format too coarse to represent the numbers of the problems."""
    if dtype in HALF:
        raise WrongResult(f"{name} returned {dtype} for {key}, which is too coarse to judge; return float32 or float64")
