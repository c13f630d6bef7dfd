"""Running a rule without trusting it: what it returned is checked, what it printed is kept from the terminal."""

from __future__ import annotations

import contextlib
import io
import traceback
from dataclasses import dataclass
from typing import Any

import numpy as np

from .reference.claims import Settings
from .reference.errors import GradcheckError, UnsupportedOperation
from .reference.problem import Problem
from .reference.scalars.base import Scalar
from .reference.typing import Gradient
from .rules import Rule


class RuleFailed(GradcheckError):
    """The rule raised. `where` is the line of the rule's own code, if it could be told."""

    def __init__(self, message: str, where: str = "") -> None:
        self.where = where
        super().__init__(message)


class WrongResult(GradcheckError):
    """The rule returned something that is not a gradient of the problem's parameters."""


@dataclass
class Run:
    """gradient: name to array. printed: what the rule wrote to standard output and error."""

    gradient: Gradient
    printed: str


def run(rule: Rule, problem: Problem, settings: Settings | None = None) -> Run:
    """Run a rule on a problem and check the result's form.

    Raises `UnsupportedOperation` where the rule's code does not run on the problem's scalar, `RuleFailed`
    where it raised anything else, and `WrongResult` where the result's keys or shapes are wrong.
    """
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), np.errstate(all="ignore"):
            raw = rule(problem, settings)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        refused = _refusal(error)
        if refused is not None:
            raise refused from error
        raise RuleFailed(_describe(rule, problem, settings, error), _where(error)) from error
    return Run(checked(raw, problem, rule.name), printed.getvalue())


def _refusal(error: BaseException | None) -> UnsupportedOperation | None:
    """The `UnsupportedOperation` that is or caused this error: NumPy wraps what a scalar raises."""
    while error is not None:
        if isinstance(error, UnsupportedOperation):
            return error
        error = error.__cause__ or error.__context__
    return None


def _where(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    return f"{frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line}" if frames else ""


def _describe(rule: Rule, problem: Problem, settings: Settings | None, error: BaseException) -> str:
    at = f" with {', '.join(f'{k}={v}' for k, v in settings.items())}" if settings else ""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    line = f", at line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
    return f"{rule.name} raised {type(error).__name__}: {error} (at {problem.sizes}{at}{line})"


def checked(raw: Any, problem: Problem, name: str) -> Gradient:
    """The result as a dict of arrays; raises `WrongResult` saying what came and what was wanted."""
    wanted = ", ".join(f"{k} {p.shape}" for k, p in problem.parameters.items())
    if not isinstance(raw, dict):
        raise WrongResult(f"{name} returned {_kind(raw)}; wanted a dict of arrays with {wanted}")
    if set(raw) != set(problem.parameters):
        missing, extra = (
            sorted(set(problem.parameters) - set(raw)),
            sorted(map(str, set(raw) - set(problem.parameters))),
        )
        parts = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has the unknown {', '.join(extra)}"] * bool(extra)
        raise WrongResult(f"{name}'s result {' and '.join(parts)}; wanted {wanted}")
    gradient = {}
    for key, parameter in problem.parameters.items():
        value = raw[key]
        if not isinstance(value, (np.ndarray, np.generic, float, int, Scalar)):
            raise WrongResult(
                f"{name} returned {_kind(value)} for {key}; wanted a NumPy array of shape {parameter.shape}"
            )
        array = value if isinstance(value, np.ndarray) else np.asarray(value)
        if array.shape != parameter.shape:
            hint = "; it looks transposed" if array.shape == parameter.shape[::-1] else ""
            raise WrongResult(f"{name} returned shape {array.shape} for {key}; wanted {parameter.shape}{hint}")
        gradient[key] = array
    return gradient


def _kind(value: Any) -> str:
    module = type(value).__module__
    kind = f"{module}.{type(value).__name__}" if module != "builtins" else type(value).__name__
    hint = " (a torch tensor: return t.detach().numpy())" if module.split(".")[0] == "torch" else ""
    return ("None" if value is None else f"a {kind}") + hint
