"""Checked calls of untrusted rules, with their output kept from the terminal."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from ..algorithms import online
from ..reference import errors as reference_errors
from ..reference.claims import Settings
from ..reference.errors import GradcheckError, UnsupportedOperation
from ..reference.network import DEFAULT_NETWORK
from ..reference.networks.base import Capabilities, ask
from ..reference.networks.state import state_of
from ..reference.problem import Problem
from ..reference.scalars.scalar import Scalar
from ..reference.typing import Gradient
from .adapt import Rule
from .adapt import WrongResult as WrongResult
from .side_effects import Changes, SideEffects


class RuleFailed(GradcheckError):
    """Raised where a rule raised an error.

    Attributes:
        where: The line of the rule's own code as "file:line: text", or an empty string.
    """

    def __init__(self, message: str, where: str = "") -> None:
        self.where = where
        super().__init__(message)


@dataclass
class Run:
    """The outcome of one checked call.

    Attributes:
        gradient: Arrays by parameter.
        changes: Output, warnings and side effects of the call. The side effects are undone.
    """

    gradient: Gradient
    changes: Changes = field(default_factory=Changes)


Watcher = TypeVar("Watcher", bound="Calls")


class Calls(Protocol):
    """Observer of calls; see `watched_by`."""

    def began(self, place: str, problem: Problem) -> None:
        """Receive the start of a call: its sizes and settings, such as "T=3, I=2, D=1, K=1", and its problem."""

    def ended(self, error: BaseException | None) -> None:
        """Receive the end of a call, with its error or None."""


_WATCHING: list[Calls] = []
_process, _exit = os.getpid, os._exit  # held, since a rule may replace the attributes


def watched_by(calls: Calls) -> None:
    """Report every later call of a rule in this process to `calls`."""
    _WATCHING.append(calls)


@contextlib.contextmanager
def watching(calls: Watcher) -> Iterator[Watcher]:
    """Report the calls of rules to `calls` inside this context, and yield it."""
    _WATCHING.append(calls)
    try:
        yield calls
    finally:
        _WATCHING.remove(calls)


def run(rule: Rule, problem: Problem, settings: Settings | None = None) -> Run:
    """Run a rule on a problem and check the form of its result.

    A rule can cause no other error than those listed. Errors of signal handlers that were installed before, such as
    KeyboardInterrupt, pass through.

    Args:
        rule: The rule.
        problem: The problem; the rule may change its arrays.
        settings: Keyword arguments of the rule.

    Returns:
        The gradient, with the side effects of the call.

    Raises:
        UnsupportedOperation: The rule's code does not run on the problem's scalar.
        RuleFailed: The rule raised another error, or changed the network.
        WrongResult: The result is no gradient: its keys, shapes or types are wrong, or reading it raised an error.
    """
    around, process = SideEffects(), _process()
    parameters = dict(problem.parameters)  # the rule may empty its own
    network, data = state_of(problem.network), dict(getattr(problem.network, "__dict__", {}))
    place = _place(problem, settings)
    with _watched(problem, settings):
        gradient, failure = {}, None
        try:
            with around:
                try:
                    try:
                        around.begin()
                        raw = rule(problem, settings)
                    finally:
                        if _process() != process:  # a fork that the rule made, and let go on
                            _exit(0)
                        around.restore_language()  # before anything of ours runs
                    gradient = checked(raw, parameters, rule.name)
                except BaseException as error:
                    failure = _failure(rule, problem, place, error)
        except BaseException as error:
            around.reraise_outside()
            if not around.watching:  # raised by a signal handler
                raise
            raise RuleFailed(f"{rule.name} left an error behind: {shown_error(error)} ({place})") from None
        around.reraise_outside()
        if failure is not None:
            raise failure
        if state_of(problem.network) != network:
            _restore(problem.network, data)
            raise RuleFailed(f"{rule.name} changed its network; change a copy instead ({place})")
        return Run(gradient, around.changes)


def _restore(network: Any, data: dict[str, Any]) -> None:
    """Restore the attributes of a network that were replaced. Attributes changed in place stay changed."""
    with contextlib.suppress(AttributeError, TypeError):
        own = network.__dict__
        for name in set(own) - set(data):
            del own[name]
        own.update(data)


def _failure(rule: Rule, problem: Problem, place: str, error: BaseException) -> GradcheckError:
    """Return the error to raise for an error of the rule, whose own code is not trusted."""
    try:
        if type(error) is WrongResult and _raised_by_us(error):
            return WrongResult(f"{error} ({place})", error.shapes)
        refused = None if _on_floats(problem) else _refusal(error)
        if refused is not None:
            refused.__cause__ = error if refused is not error else None
            return refused
        failed = RuleFailed(_describe(rule, place, error), _where(error))
        failed.__cause__ = error
        return failed
    except BaseException:
        return RuleFailed(f"{rule.name} raised {class_name(error)}, which cannot be shown ({place})")


def _on_floats(problem: Problem) -> bool:
    return bool(problem.inputs.dtype.kind == "f" and type(problem.inputs) is np.ndarray)


def class_name(value: Any) -> str:
    """Return the name of a value's class, without code of its metaclass."""
    return str(type.__dict__["__name__"].__get__(type(value)))


def shown_error(error: BaseException) -> str:
    """Return the class and message of an error, even if reading the message raises one."""
    try:
        # Reports put the message in the middle of a sentence, so it must be one line.
        lines = str(str(error))[:_LONGEST_MESSAGE].splitlines()
        message = _cut(" | ".join(line.strip() for line in lines if line.strip()), 500)
    except BaseException as second:
        message = f"(its message raises {class_name(second)})"
    return class_name(error) + (f": {message}" if message else "")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, its cause, and so on; each once, even if they form a cycle."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        cause, context = (BaseException.__dict__[name].__get__(error) for name in ("__cause__", "__context__"))
        error = cause or context


@contextlib.contextmanager
def _watched(problem: Problem, settings: Settings | None) -> Iterator[None]:
    """Report a call to all watchers; the last to begin is the first to end."""
    failed: BaseException | None = None
    if _WATCHING:
        place = ", ".join([_sizes(problem), *(f"{k}={v}" for k, v in (settings or {}).items())]) + _network(problem)
        for calls in _WATCHING:
            calls.began(place, problem)
    try:
        yield
    except BaseException as error:
        failed = error
        raise
    finally:
        for calls in reversed(_WATCHING):
            calls.ended(failed)


def _refusal(error: BaseException) -> UnsupportedOperation | None:
    """Return the `UnsupportedOperation` of a scalar behind an error, which NumPy may have wrapped, or None."""
    return next((e for e in chain(error) if isinstance(e, UnsupportedOperation) and _raised_by_us(e)), None)


def _raised_by_us(error: BaseException) -> bool:
    """Return True if our own code raised the error. A rule may raise our types, but that counts as its own error."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and frames[-1][0].f_code.co_filename.startswith(_OUR_CODE)


def _inside(*folders: Path | str) -> tuple[str, ...]:
    """Return the path prefixes of the files in folders."""
    return tuple(os.path.join(folder, "") for folder in folders)


_PACKAGE = Path(__file__).parent.parent
_OUR_CODE = (
    *_inside(_PACKAGE / "rules", _PACKAGE / "evidence", Path(reference_errors.__file__).parent),
    str(Path(online.__file__)),
)
_NOT_THE_RULES_OWN = (*_OUR_CODE, *_inside(Path(np.__file__).parent))
_INSTALLED = _inside(*{sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")})


def _frame(error: BaseException) -> traceback.FrameSummary | None:
    """Return the deepest frame in the author's own files, else in an installed package that is not ours."""
    loaded = [sys.modules[name] for name in ("torch", "jax") if name in sys.modules]
    others = _inside(*(Path(module.__file__).parent for module in loaded if module.__file__))
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


def _describe(rule: Rule, place: str, error: BaseException) -> str:
    frame = _frame(error)
    line = f", {_shown_path(frame.filename)}, line {frame.lineno}: {_cut(frame.line or '', 100)}" if frame else ""
    return f"{rule.name} raised {shown_error(error)} ({place}{line})"


def _place(problem: Problem, settings: Settings | None) -> str:
    at = f" with {', '.join(f'{k}={v}' for k, v in settings.items())}" if settings else ""
    return f"at {_sizes(problem)}{at}{_network(problem)}"


def _network(problem: Problem) -> str:
    """Return the network as part of a sentence; empty for the default one, or one of undefined functions."""
    network = problem.network
    try:
        undefined = ask(network, Capabilities.undefined, head=False)
        if network == DEFAULT_NETWORK or undefined is not None and undefined == network:
            return ""
        return f", on {_cut(f'{network.name}: {network}', 80)}"
    except Exception:  # raised by the user's network
        return ""


def _shown_path(name: str) -> str:
    """Return a file's path, relative to the current folder if it lies in it."""
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
    """Return a rule's result as a dict of plain arrays, which run no code of the rule.

    Args:
        raw: The rule's result.
        parameters: The problem's parameters by name.
        name: The rule's name, for messages.

    Raises:
        WrongResult: It is no dict of arrays with these names and shapes, or reading it raises an error. The message
            says what the rule returned and what was wanted.
    """
    try:
        return _checked(raw, parameters, name)
    except WrongResult:
        raise
    except UnsupportedOperation as error:
        if _raised_by_us(error):
            raise
        raise WrongResult(f"{name} returned {_kind(raw)} that cannot be read: {shown_error(error)}") from None
    except BaseException as error:
        raise WrongResult(f"{name} returned {_kind(raw)} that cannot be read: {shown_error(error)}") from None


def _checked(raw: Any, parameters: Mapping[str, Any], name: str) -> Gradient:
    wanted = ", ".join(f"{k} {p.shape}" for k, p in parameters.items())
    example = "{" + ", ".join(f'"{k}": ...' for k in parameters) + "}"
    if not issubclass(type(raw), dict):
        if inspect.iscoroutine(raw):
            raw.close()
        raise WrongResult(f"{name} returned {_kind(raw)}; wanted a dict of arrays with {wanted}: return {example}")
    result = dict(dict.items(raw))
    if set(result) != set(parameters):
        missing = sorted(set(parameters) - set(result))
        extra = sorted(_cut(key if type(key) is str else repr(key), 60) for key in set(result) - set(parameters))
        more = f" and {len(extra) - _MOST_KEYS} more" if len(extra) > _MOST_KEYS else ""
        parts = [f"lacks {', '.join(missing)}"] * bool(missing)
        parts += [f"has the unknown {', '.join(extra[:_MOST_KEYS])}{more}"] * bool(extra)
        raise WrongResult(f"{name}'s result {' and '.join(parts)}; wanted {wanted}: return {example}")
    try:
        return {k: _array(result[k], parameter, f"{name} returned", f"for {k}") for k, parameter in parameters.items()}
    except WrongResult as error:
        raise WrongResult(str(error), {key: np.shape(result[key]) for key in parameters}) from None


def _array(value: Any, parameter: Any, returned: str, key: str) -> Any:
    kind = type(value)
    if not issubclass(kind, (np.ndarray, np.generic, float, int, Scalar)):
        hint = "; convert it with np.asarray" if issubclass(kind, (list, tuple)) else ""
        raise WrongResult(f"{returned} {_kind(value)} {key}; wanted a NumPy array of shape {parameter.shape}{hint}")
    if issubclass(kind, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise WrongResult(f"{returned} a masked array with masked entries {key}; fill them with numbers")
    array = value if issubclass(kind, np.ndarray) else np.asarray(value)
    if not kind.__module__.startswith(_REFERENCE):
        array = np.ndarray.view(array, np.ndarray)  # a subclass may run code of the rule
    if array.shape != parameter.shape:
        hint = "; it looks transposed" if array.shape == parameter.shape[::-1] else ""
        raise WrongResult(f"{returned} shape {array.shape} {key}; wanted {parameter.shape}{hint}")
    if array.dtype.kind not in "fiubO":
        hint = "; take its real part" if array.dtype.kind == "c" else ""
        raise WrongResult(f"{returned} dtype {array.dtype} {key}; wanted {parameter.dtype}{hint}")
    if array.dtype.kind == "O" and type(array) is np.ndarray:
        numbers = _REAL if parameter.dtype.kind == "f" else (*_REAL, Scalar)
        for each in array.reshape(-1):
            if not issubclass(type(each), numbers):
                raise WrongResult(f"{returned} dtype object with {_kind(each)} in it {key}; wanted {parameter.dtype}")
        if parameter.dtype.kind == "f":
            array = np.array([_float(each) for each in array.reshape(-1)], dtype=float).reshape(array.shape)
    return array


def _float(number: Any) -> float:
    """Convert a real number to a float by the methods of the class that it extends, not by its own."""
    kind = type(number)
    if issubclass(kind, float):
        return float.__pos__(number)
    return float(int.__index__(number) if issubclass(kind, int) else number)


_REAL = (float, int, np.floating, np.integer, np.bool_)
_REFERENCE = reference_errors.__name__.rpartition(".")[0]
_MOST_KEYS = 10
_LONGEST_MESSAGE = 20_000
"""Characters of a message that are read."""


def _kind(value: Any) -> str:
    name, module = class_name(value), type(value).__module__
    kind = f"{module}.{name}" if type(module) is str and module != "builtins" else name
    hint = " (a torch tensor: return t.detach().numpy())" if kind.split(".")[0] == "torch" else ""
    if value is None:
        return "None"
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}{hint}"
