"""Running a rule without trusting it: what it returned is checked, what it printed is kept from the terminal."""

from __future__ import annotations

import contextlib
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..reference.claims import Settings
from ..reference.errors import GradcheckError, UnsupportedOperation
from ..reference.network import DEFAULT_NETWORK
from ..reference.networks.base import Capabilities, ask
from ..reference.problem import Problem
from ..reference.scalars.scalar import Scalar
from ..reference.typing import Gradient
from .adapt import Rule
from .adapt import WrongResult as WrongResult
from .side_effects import Changes, Surroundings


class RuleFailed(GradcheckError):
    """The rule raised. `where` is the line of the rule's own code, if it could be told."""

    def __init__(self, message: str, where: str = "") -> None:
        self.where = where
        super().__init__(message)


@dataclass
class Run:
    """gradient: name to array. changes: what the call printed, warned of and changed around it, now undone."""

    gradient: Gradient
    changes: Changes = field(default_factory=Changes)


class Calls(Protocol):
    """Who is told when the code of a rule begins to run, and when it has ended: see `watched_by`."""

    def began(self, place: str) -> None:
        """A call at this place, such as "T=3, I=2, D=1, K=1", begins."""

    def ended(self, error: BaseException | None) -> None:
        """It ended, with what it raised."""


_WATCHING: list[Calls] = []


def watched_by(calls: Calls) -> None:
    """Tell `calls` of every call of a rule in this process, from now on."""
    _WATCHING.append(calls)


def run(rule: Rule, problem: Problem, settings: Settings | None = None) -> Run:
    """Run a rule on a problem and check the result's form.

    Raises `UnsupportedOperation` where the rule's code does not run on the problem's scalar, `RuleFailed`
    where it raised anything else, and `WrongResult` where the result's keys or shapes are wrong.
    """
    around = Surroundings()
    parameters = dict(problem.parameters)  # the rule may empty its own
    with _watched(problem, settings):
        try:
            with around:
                raw = rule(problem, settings)
        except (KeyboardInterrupt, WrongResult):
            raise
        except BaseException as error:
            refused = _refusal(error)
            if refused is not None:
                raise refused from error
            raise RuleFailed(_describe(rule, problem, settings, error), _where(error)) from error
        try:
            return Run(checked(raw, parameters, rule.name), around.changes)
        except WrongResult as error:
            raise WrongResult(f"{error} ({_place(problem, settings)})", error.shapes) from None


@contextlib.contextmanager
def _watched(problem: Problem, settings: Settings | None) -> Iterator[None]:
    """Say that a rule's code runs, to whoever wants to know."""
    failed: BaseException | None = None
    if _WATCHING:
        place = ", ".join([_sizes(problem), *(f"{k}={v}" for k, v in (settings or {}).items())]) + _network(problem)
        for calls in _WATCHING:
            calls.began(place)
    try:
        yield
    except BaseException as error:
        failed = error
        raise
    finally:
        for calls in _WATCHING:
            calls.ended(failed)


def _refusal(error: BaseException | None) -> UnsupportedOperation | None:
    """The `UnsupportedOperation` that is or caused this error: NumPy wraps what a scalar raises."""
    while error is not None:
        if isinstance(error, UnsupportedOperation):
            return error
        error = error.__cause__ or error.__context__
    return None


_OURS = Path(__file__).parent.parent
_PARTS = ("evidence", "rules.py", "results.py", "surroundings.py", "reference", "algorithms/online.py")
_NOT_THE_RULES_OWN = tuple(
    str(path)
    for path in (
        *(_OURS / name for name in (*_PARTS, "frameworks.py", "torch.py", "torch_layers.py", "jax.py")),
        *(_OURS.parent / name for name in ("reference", "algorithms/online.py")),
        Path(np.__file__).parent,
    )
)


_INSTALLED = tuple({sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")})


def _frame(error: BaseException) -> traceback.FrameSummary | None:
    """The deepest line of the author's own files, or where there is none of an installed package that is not ours."""
    loaded = [sys.modules[name] for name in ("torch", "jax") if name in sys.modules]
    others = tuple(str(Path(module.__file__).parent) for module in loaded if module.__file__)
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if not f.filename.startswith((*_NOT_THE_RULES_OWN, *others))
    ]
    own = [f for f in frames if not f.filename.startswith(_INSTALLED)]
    return next(reversed(own or frames), None)


def _where(error: BaseException) -> str:
    frame = _frame(error)
    return f"{frame.filename}:{frame.lineno}: {frame.line}" if frame else ""


def _describe(rule: Rule, problem: Problem, settings: Settings | None, error: BaseException) -> str:
    frame = _frame(error)
    line = f", {_shown_path(frame.filename)}, line {frame.lineno}: {_cut(frame.line or '', 100)}" if frame else ""
    # A report has it in the middle of a sentence, where the lines of a longer message would run into each other.
    message = _cut(" | ".join(line.strip() for line in str(error).splitlines() if line.strip()), 500)
    said = f": {message}" if message else ""
    return f"{rule.name} raised {type(error).__name__}{said} ({_place(problem, settings)}{line})"


def _place(problem: Problem, settings: Settings | None) -> str:
    at = f" with {', '.join(f'{k}={v}' for k, v in settings.items())}" if settings else ""
    return f"at {_sizes(problem)}{at}{_network(problem)}"


def _network(problem: Problem) -> str:
    """For a sentence: the network, unless it is the one that is tried first, or one of undefined functions."""
    network = problem.network
    try:
        undefined = ask(network, Capabilities.undefined, head=False)
        if network == DEFAULT_NETWORK or undefined is not None and undefined == network:
            return ""
        return f", on {_cut(f'{network.name}: {network}', 80)}"
    except Exception:  # it is of a user's making
        return ""


def _shown_path(name: str) -> str:
    """A file as its author calls it: from the current folder, if it is below that."""
    path = Path(name)
    with contextlib.suppress(OSError, ValueError):
        return str(path.relative_to(Path.cwd()))
    return name


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 4]} ..."


def _sizes(problem: Problem) -> str:
    try:
        return str(problem.sizes)
    except Exception:  # the rule may have taken its parameters apart
        return f"T={problem.T}"


def checked(raw: Any, parameters: Mapping[str, Any], name: str) -> Gradient:
    """The result as a dict of arrays; raises `WrongResult` saying what came and what was wanted."""
    wanted = ", ".join(f"{k} {p.shape}" for k, p in parameters.items())
    example = "{" + ", ".join(f'"{k}": ...' for k in parameters) + "}"
    if not isinstance(raw, dict):
        if inspect.iscoroutine(raw):
            raw.close()
        raise WrongResult(f"{name} returned {_kind(raw)}; wanted a dict of arrays with {wanted}: return {example}")
    if set(raw) != set(parameters):
        missing, extra = sorted(set(parameters) - set(raw)), sorted(map(str, set(raw) - set(parameters)))
        parts = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has the unknown {', '.join(extra)}"] * bool(extra)
        raise WrongResult(f"{name}'s result {' and '.join(parts)}; wanted {wanted}: return {example}")
    try:
        return {k: _array(raw[k], parameter, f"{name} returned", f"for {k}") for k, parameter in parameters.items()}
    except WrongResult as error:
        raise WrongResult(str(error), {key: np.shape(raw[key]) for key in parameters}) from None


_SCALARS = Scalar.__module__.rpartition(".")[0]


def _array(value: Any, parameter: Any, returned: str, key: str) -> Any:
    if not isinstance(value, (np.ndarray, np.generic, float, int, Scalar)):
        hint = "; np.asarray makes one" if isinstance(value, (list, tuple)) else ""
        raise WrongResult(f"{returned} {_kind(value)} {key}; wanted a NumPy array of shape {parameter.shape}{hint}")
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if type(array) is not np.ndarray and not type(array).__module__.startswith(_SCALARS):
        array = np.asarray(array)  # a subclass of the author's may refuse, or change, what is done to it
    if array.shape != parameter.shape:
        hint = "; it looks transposed" if array.shape == parameter.shape[::-1] else ""
        raise WrongResult(f"{returned} shape {array.shape} {key}; wanted {parameter.shape}{hint}")
    if array.dtype.kind not in "fiubO":
        hint = "; take its real part" if array.dtype.kind == "c" else ""
        raise WrongResult(f"{returned} dtype {array.dtype} {key}; wanted {parameter.dtype}{hint}")
    if array.dtype.kind == "O" and parameter.dtype.kind == "f":
        strange = next((v for v in array.reshape(-1) if not isinstance(v, (float, int, np.floating, np.integer))), 0)
        if strange != 0:
            raise WrongResult(f"{returned} dtype object with {_kind(strange)} in it {key}; wanted {parameter.dtype}")
    return array


def _kind(value: Any) -> str:
    module = type(value).__module__
    kind = f"{module}.{type(value).__name__}" if module != "builtins" else type(value).__name__
    hint = " (a torch tensor: return t.detach().numpy())" if module.split(".")[0] == "torch" else ""
    return ("None" if value is None else f"a {kind}") + hint
