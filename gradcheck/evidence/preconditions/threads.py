"""Calls from two threads at once.

A rule that works in memory of its own module is right while it is alone. One call is stopped at a line of the author's,
another thread makes a whole call on other numbers, and the first goes on; or two calls take turns, some lines each.
Threads may have these schedules, and they are the same each time. Compiled code has no lines to stop at, so both
threads also run freely for a while.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, TypeAlias

import numpy as np

from ...problems.lively import lively_problem
from ...reference.claims import Settings
from ...reference.errors import GradcheckError
from ...reference.networks.base import Sizes
from ...reference.problem import Problem
from ...reference.typing import Gradient
from ...rules.adapt import Rule
from ...rules.authors import authored_by
from ...rules.call import run
from ...rules.failures import cut, shown_error
from ...rules.returned import Asked, checked
from ..base import Case
from ..sizes import spread
from .calls import KeepsState, difference, plain_call, process_id

SIZE = Sizes(3, 2, 2, 2)
MOST_STOPS, FREE = 60, 24
"""Lines at which a call is stopped, and calls of each thread that are not stopped."""
TURNS = (1, 2, 3, 5)
"""Lines that each of two calls runs before it is the other's turn."""
WAIT, LEAST = 0.05, 1e-6
"""Seconds that a stopped call waits for the other one, which may wait for a lock that the first holds; and seconds
after which Python lets the other thread run."""
MOST_WAITS = 8
"""Calls that the other one waited for, after which no call is stopped any more: a lock keeps them apart."""
LONGEST = 10.0
"""Seconds after which a thread that does not end is left alone."""
SECONDS, SLOW = 2.0, 0.02
"""Seconds after which no more calls are made, and those of a call that is too slow to be stopped at its lines."""
Place: TypeAlias = tuple[str, int]
Trace: TypeAlias = Callable[[FrameType, str, Any], Any]


def check(case: Case) -> list[str]:
    """Call the rule on two problems at once, and compare with what it returns on each alone.

    Args:
        case: The rule on one network.

    Returns:
        Notes on errors that calls at once raise.

    Raises:
        KeepsState: A result differs from the one that the same call returns alone.
        GradcheckError: The rule fails alone.
    """
    if case.rule.of_class and not isinstance(case.rule.target, type):
        return []  # one object for one sequence at a time
    settings = spread(case.rule.settings(SIZE.T), 1)[0]
    problems = [lively_problem(case.network, SIZE, case.seed + 300 + k, weighted=case.weighted) for k in range(2)]
    began = time.monotonic()
    alone = [run(case.rule, problem.copy(), settings).gradient for problem in problems]
    taken = time.monotonic() - began
    both = _Both(case.rule, problems, settings, began + taken + SECONDS)
    try:
        both.freely(alone)
        if taken < SLOW * len(alone):
            both.stopped_at_lines(alone)
            both.in_turns(alone)
    except _Failed as error:
        return [f"fails when two threads call it at once ({cut(str(error), 80)})"]
    return []


class _Failed(Exception):
    """Raised where a call fails that does not fail alone."""


@dataclasses.dataclass
class _Both:
    """Calls on two problems at once.

    Attributes:
        rule: The rule.
        problems: The problems.
        settings: The rule's keyword arguments.
        deadline: The time on the monotonic clock after which no more calls are made.
    """

    rule: Rule
    problems: Sequence[Problem]
    settings: Settings
    deadline: float

    def freely(self, alone: Sequence[Gradient]) -> None:
        """Let both threads run, and switch between them as often as Python does."""

        def several(number: int) -> Any:
            for _ in range(FREE):
                raw = self._call(number)
                found[number].append(self._copied(raw, number))
                if time.monotonic() > self.deadline:
                    break
            return raw

        def beside() -> None:
            try:
                several(1)
            except BaseException as error:
                raised.append(error)

        def at_once(_: Problem, **__: int) -> Gradient:
            interval, other = sys.getswitchinterval(), threading.Thread(target=beside, daemon=True)
            sys.setswitchinterval(LEAST)
            other.start()
            try:
                raw: Gradient = several(0)
                return raw
            finally:
                other.join(LONGEST)
                sys.setswitchinterval(interval)
                if other.is_alive():
                    raised.append(TimeoutError(f"a call does not end within {LONGEST:g} s of the other"))

        raised: list[BaseException] = []
        found: tuple[list[Gradient], list[Gradient]] = ([], [])
        try:
            self._run(at_once)
        except _Failed as error:
            raised.insert(0, error)
        for number, results in enumerate(found):  # an error of one call tells less than a wrong result of another
            for result in results:
                self._compare(result, alone, number)
        if raised:
            raise raised[0] if isinstance(raised[0], _Failed) else _Failed(shown_error(raised[0]))

    def in_turns(self, alone: Sequence[Gradient]) -> None:
        """Let two calls take turns, some lines each."""
        for lines in TURNS:
            if time.monotonic() > self.deadline:
                break
            turns = _Turns(lines)
            other, results = self._beside(turns)

            def at_once(_: Problem, turns: _Turns = turns, other: threading.Thread = other, **__: int) -> Gradient:
                other.start()
                try:
                    result: Gradient = turns.taken_by(0, self._authored, lambda: self._call(0))
                    return result
                finally:
                    other.join(LONGEST)

            first = self._run(at_once)
            self._compare_both(first, results, alone)
            if turns.waited:
                break

    def _beside(self, turns: _Turns) -> tuple[threading.Thread, list[Any]]:
        """Return a thread that makes the second call in turns, and the list for its result."""
        results: list[Any] = []

        def call() -> None:
            results.append(turns.taken_by(1, self._authored, lambda: self._result(1)))

        return threading.Thread(target=call, daemon=True), results

    def stopped_at_lines(self, alone: Sequence[Gradient]) -> None:
        """Stop the first call at one line after another, until the second has returned."""
        waits, reached = 0, list[Place]()
        self._run(lambda *_, **__: _traced(self._authored, reached.append, lambda: self._call(0)))
        for stop in np.random.default_rng(0).permutation(_stops(reached)).tolist():  # some lines may lie behind a lock
            waits += self._stopped(stop, alone)
            if waits >= MOST_WAITS or time.monotonic() > self.deadline:
                break

    def _stopped(self, stop: int, alone: Sequence[Gradient]) -> bool:
        """Stop the first call when it comes to this line; return True if the second one did not return meanwhile."""
        waited, number = False, -1

        def at(_: Place) -> None:
            nonlocal waited, number
            number += 1
            if number == stop:
                other.start()
                other.join(WAIT)
                waited = other.is_alive()

        def at_once(_: Problem, **__: int) -> Gradient:
            try:
                result: Gradient = _traced(self._authored, at, lambda: self._call(0))
                return result
            finally:
                if other.ident is not None:
                    other.join(LONGEST)

        results: list[Any] = []
        other = threading.Thread(target=lambda: results.append(self._result(1)), daemon=True)
        first = self._run(at_once)
        self._compare_both(first, results, alone)
        return waited

    def _compare_both(self, first: Gradient, results: Sequence[Any], alone: Sequence[Gradient]) -> None:
        self._compare(first, alone, 0)
        for result in results:
            if isinstance(result, BaseException):
                raise _Failed(shown_error(result))
            self._compare(result, alone, 1)

    @functools.cached_property
    def _authored(self) -> Callable[[str], bool]:
        return authored_by(self.rule.target)

    def _call(self, number: int) -> Any:
        return plain_call(self.rule, self.problems[number].copy(), self.settings)

    def _result(self, number: int) -> Gradient | BaseException:
        try:
            return self._checked(self._call(number), number)
        except BaseException as error:
            return error

    def _copied(self, raw: Any, number: int) -> Gradient:
        """Return a copy of a result, soon where it is a dict of plain arrays: calls are to overlap, not checks."""
        if type(raw) is dict and all(type(array) is np.ndarray and array.dtype.kind == "f" for array in raw.values()):
            return {name: array.copy() for name, array in raw.items()}
        return self._checked(raw, number)

    def _checked(self, raw: Any, number: int) -> Gradient:
        """Return a copy of a result, by name."""
        asked = Asked.of(self.problems[number], self.rule.of)
        return {name: array.copy() for name, array in checked(raw, asked, self.rule.name).items()}

    def _run(self, function: Callable[..., Gradient]) -> Gradient:
        """Return the checked result of a function that calls the rule; what both calls change is undone at its end."""
        try:
            return run(self.rule.within(function), self.problems[0], self.settings).gradient
        except GradcheckError as error:
            raise _Failed(shown_error(error.__cause__ or error)) from error

    def _compare(self, result: Gradient, alone: Sequence[Gradient], number: int) -> None:
        if text := difference(result, alone[number], self.problems[number]):
            raise KeepsState(
                f"{text}, of which one is made while another thread calls it; let each call work in memory of its own, "
                "or behind a lock, or declare gradcheck.Pure(threads=False) beside the other claims"
            )


def _traced(authored: Callable[[str], bool], at: Callable[[Place], None], call: Callable[[], Any]) -> Any:
    """Return the result of a call, and do something at each of the author's lines.

    Args:
        authored: Tells the files of the rule's author from others, by name.
        at: Called before each line, with its place.
        call: The call.
    """

    def called(frame: FrameType, event: str, argument: Any) -> Trace | None:
        return line if authored(frame.f_code.co_filename) else None

    def line(frame: FrameType, event: str, argument: Any) -> Trace:
        if event == "line" and process_id() == process:
            at((frame.f_code.co_filename, frame.f_lineno))
        return line

    before, process = sys.gettrace(), process_id()  # a fork of the rule's has lines too, and no other thread
    sys.settrace(called)
    try:
        return call()
    finally:
        sys.settrace(before)


class _Turns:
    """Turns of two calls, some lines each.

    Args:
        lines: The number of lines.

    Attributes:
        waited: True if one did not end its turn in time, since it waits for the other; both run freely from then on.
    """

    def __init__(self, lines: int) -> None:
        self.waited = False
        self._lines, self._turn, self._ended = lines, 0, False
        self._changed = threading.Condition()

    def taken_by(self, number: int, authored: Callable[[str], bool], call: Callable[[], Any]) -> Any:
        """Return the result of a call that takes the turns of this number, 0 or 1."""
        count = 0

        def at(_: Place) -> None:
            nonlocal count
            if count % self._lines == 0:
                self._pass_on(number)
            count += 1

        try:
            return _traced(authored, at, call)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _pass_on(self, number: int) -> None:
        with self._changed:
            self._turn = 1 - number
            self._changed.notify_all()
            free = self._ended or self.waited
            if not free and not self._changed.wait_for(lambda: self._turn == number or self._ended, WAIT):
                self.waited = True


def _stops(reached: Sequence[Place]) -> list[int]:
    """Choose the first, the middle and the last run of each line, and no more than some, evenly."""
    runs: dict[Place, list[int]] = {}
    for number, place in enumerate(reached):
        runs.setdefault(place, []).append(number)
    stops = sorted({run for numbers in runs.values() for run in (numbers[0], numbers[len(numbers) // 2], numbers[-1])})
    return stops[:: -(-len(stops) // MOST_STOPS)] if stops else []
