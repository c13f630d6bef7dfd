"""Checked calls of untrusted rules, with their output kept from the terminal."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np

from ..reference.claims import Settings
from ..reference.errors import GradcheckError, MixedNumbers
from ..reference.network import DEFAULT_NETWORK
from ..reference.networks.base import Capabilities, ask
from ..reference.networks.state import state_of
from ..reference.problem import Problem
from ..reference.typing import Gradient
from ..reference.wanted import described as described_kinds
from .adapt import Rule, WrongResult
from .failures import (
    SCALARS,
    KeptNumbers,
    RuleFailed,
    at_line,
    chain,
    class_name,
    cut,
    described,
    raised_by_us,
    refusal,
    shown_error,
    where,
)
from .fresh import called
from .returned import Asked, all_of_one_kind, checked, of_plain_floats, system_of
from .side_effects import Changes, SideEffects


@dataclass
class Run:
    """The outcome of one checked call.

    Attributes:
        gradient: Arrays by name, of the kinds that the rule declares.
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
        KeptNumbers: The rule used, or returned, numbers of an earlier call on another number system.
        RuleFailed: The rule raised another error, or changed the network.
        WrongResult: The result is no gradient: its keys, shapes or types are wrong, or reading it raised an error.
    """
    around, process = SideEffects(), _process()
    field = system_of(problem.inputs)
    asked = _asked(rule, problem, settings)  # before the rule can change its problem
    network, data = state_of(problem.network), dict(getattr(problem.network, "__dict__", {}))
    place = _place(problem, settings)
    with _watched(problem, settings):
        gradient, failure = {}, None
        try:
            with around:
                try:
                    try:
                        around.begin()
                        raw = called(rule, problem, settings)
                    finally:
                        if _process() != process:  # a fork that the rule made, and let go on
                            _exit(0)
                        around.restore_language()  # before anything of ours runs
                    if of_plain_floats(raw):
                        around.settle()
                    gradient = checked(raw, asked, rule.name)
                    all_of_one_kind(gradient, asked.arrays)
                except BaseException as error:
                    failure = _failure(rule, problem, place, error)
        except BaseException as error:
            around.reraise_outside()
            if not around.watching:  # raised by a signal handler
                raise
            raise RuleFailed(f"{rule.name} left an error behind: {shown_error(error)} ({place})") from None
        around.reraise_outside()
        if field is not None:
            _EARLIER[id(field)] = field
        if failure is not None:
            raise failure
        if state_of(problem.network) != network:
            _restore(problem.network, data)
            raise RuleFailed(f"{rule.name} changed its network; change a copy instead ({place})")
        return Run(gradient, around.changes)


def _asked(rule: Rule, problem: Problem, settings: Settings | None) -> Asked:
    """Return what the rule is to return. Raises `RuleFailed` where the problem's network has no such gradient."""
    try:
        return Asked.of(problem, rule.of)
    except GradcheckError as error:
        text = f"{rule.name} returns the gradient of {described_kinds(rule.of)}: {error}"
        raise RuleFailed(f"{text} ({_place(problem, settings)})") from None


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
        if type(error) is WrongResult and raised_by_us(error):
            return WrongResult(f"{error} ({place})", error.shapes)
        if _kept_numbers(problem, error):
            text = f"it uses numbers that it kept from an earlier call ({place}{at_line(error)})"
            remedy = "let it keep nothing from one call to the next"
            return KeptNumbers(f"{rule.name} keeps state: {text}; {remedy}", _on_floats(problem))
        refused = None if _on_floats(problem) else refusal(error)
        if refused is not None:
            refused.__cause__ = error if refused is not error else None
            return refused
        failed = RuleFailed(described(rule.name, place, error), where(error))
        failed.__cause__ = error
        return failed
    except BaseException:
        return RuleFailed(f"{rule.name} raised {class_name(error)}, which cannot be shown ({place})")


_EARLIER: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
"""The number systems of problems that were given to rules in this process, by id."""


def _kept_numbers(problem: Problem, error: BaseException) -> bool:
    """Return True for an error by which numbers met that were made for an earlier call, on another number system."""
    mine = system_of(problem.inputs)
    for each in chain(error):
        if isinstance(each, MixedNumbers) and raised_by_us(each):
            return any(_EARLIER.get(id(field)) is field for field in each.fields if field is not mine)
    refused = refusal(error) if _on_floats(problem) else None
    known = {getattr(field, "name", "") for field in _EARLIER.values()}
    return refused is not None and raised_by_us(refused, (SCALARS,)) and refused.scalar in known


def _on_floats(problem: Problem) -> bool:
    return bool(problem.inputs.dtype.kind == "f" and type(problem.inputs) is np.ndarray)


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
        return f", on {cut(f'{network.name}: {network}', 80)}"
    except Exception:  # raised by the user's network
        return ""


def _sizes(problem: Problem) -> str:
    try:
        return str(problem.sizes)
    except Exception:  # the rule may have taken its parameters apart
        return f"T={problem.T}"
