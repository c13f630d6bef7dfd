"""Calls from two threads at once.

A rule that works in memory of its own module is right while it is alone. One call is stopped at a line of the author's,
another thread makes a whole call on other numbers, and the first goes on: a schedule that threads may have, and the
same one each time. Compiled code has no lines to stop at, so both threads also run freely for a while.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any, TypeAlias

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
from ..base import Case
from ..sizes import spread
from .calls import KeepsState, difference, plain_call

SIZE = Sizes(3, 2, 2, 2)
MOST_STOPS, FREE = 40, 12
"""Lines at which a call is stopped, and calls of each thread that are not stopped."""
WAIT, LEAST = 0.2, 1e-6
"""Seconds that a stopped call waits for the other one, which may wait for a lock that the first holds; and seconds
after which Python lets the other thread run."""
MOST_WAITS = 2
"""Calls that the other one waited for, after which no call is stopped any more: a lock keeps them apart."""
LONGEST = 30.0
"""Seconds after which a thread that does not end is left alone."""
Place: TypeAlias = tuple[str, int]
Trace: TypeAlias = Callable[[FrameType, str, Any], Any]


def check(case: Case) -> list[str]:
    """Call the rule on two problems at once, and compare with what it returns on each alone.

    Args:
        case: The rule on its first network.

    Returns:
        Notes on errors that calls at once raise.

    Raises:
        KeepsState: A result differs from the one that the same call returns alone.
        GradcheckError: The rule fails alone.
    """
    if case.rule.online and not isinstance(case.rule.target, type):
        return []  # one object for one sequence at a time
    settings = spread(case.rule.settings(SIZE.T), 1)[0]
    problems = [lively_problem(case.network, SIZE, case.seed + 300 + k, weighted=case.weighted) for k in range(2)]
    alone = [run(case.rule, problem.copy(), settings).gradient for problem in problems]
    both = _Both(case.rule, problems, settings)
    try:
        both.freely(alone)
        both.stopped_at_lines(alone)
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
    """

    rule: Rule
    problems: Sequence[Problem]
    settings: Settings

    def freely(self, alone: Sequence[Gradient]) -> None:
        """Let both threads run, and switch between them as often as Python does."""

        def several(number: int) -> list[Gradient]:
            return [self._copied(self._call(number)) for _ in range(FREE)]

        def at_once(_: Problem, **__: int) -> Gradient:
            interval = sys.getswitchinterval()
            sys.setswitchinterval(LEAST)
            try:
                with ThreadPoolExecutor(1) as pool:
                    other = pool.submit(several, 1)
                    found.extend((several(0), other.result()))
            finally:
                sys.setswitchinterval(interval)
            return found[0][-1]

        found: list[list[Gradient]] = []
        self._run(at_once)
        for number, results in enumerate(found):
            for result in results:
                self._compare(result, alone, number)

    def stopped_at_lines(self, alone: Sequence[Gradient]) -> None:
        """Stop the first call at one line after another, until the second has returned."""
        authored, waits = authored_by(self.rule.target), 0
        lines = _Lines(authored)
        self._run(lambda *_, **__: lines.traced(lambda: self._call(0)))
        for stop in _stops(lines.reached):
            waited = self._stopped(authored, stop, alone)
            waits += waited
            if waits >= MOST_WAITS:
                break

    def _stopped(self, authored: Callable[[str], bool], stop: int, alone: Sequence[Gradient]) -> bool:
        """Stop the first call when it comes to this line; return True if the second one did not return meanwhile."""
        waited = False

        def begin() -> None:
            nonlocal waited
            other.start()
            other.join(WAIT)
            waited = other.is_alive()

        lines, results = _Lines(authored, stop, begin), list[Any]()
        other = threading.Thread(target=lambda: results.append(self._result(1)), daemon=True)
        first = self._run(lambda *_, **__: lines.traced(lambda: self._call(0)))
        if other.ident is not None:
            other.join(LONGEST)
        self._compare(first, alone, 0)
        for result in results:
            if isinstance(result, BaseException):
                raise _Failed(shown_error(result))
            self._compare(result, alone, 1)
        return waited

    def _call(self, number: int) -> Gradient:
        return plain_call(self.rule, self.problems[number].copy(), self.settings)

    def _result(self, number: int) -> Gradient | BaseException:
        try:
            return self._copied(self._call(number))
        except BaseException as error:
            return error

    @staticmethod
    def _copied(gradient: Gradient) -> Gradient:
        return {name: array.copy() for name, array in gradient.items()}

    def _run(self, function: Callable[..., Gradient]) -> Gradient:
        """Return the checked result of a function that calls the rule."""
        try:
            return run(dataclasses.replace(self.rule, function=function), self.problems[0], self.settings).gradient
        except GradcheckError as error:
            raise _Failed(shown_error(error.__cause__ or error)) from error

    def _compare(self, result: Gradient, alone: Sequence[Gradient], number: int) -> None:
        if text := difference(result, alone[number], self.problems[number]):
            raise KeepsState(
                f"{text}, of which one is made while another thread calls it; let each call work in memory of its own, "
                "or behind a lock"
            )


class _Lines:
    """Trace of one call that notes the author's lines, or does something when one of them is reached.

    Args:
        authored: Tells the files of the rule's author from others, by name.
        stop: The number of the line to stop at, in the order in which they run.
        reached: Called there.

    Attributes:
        reached: The lines that ran, in order.
    """

    def __init__(
        self, authored: Callable[[str], bool], stop: int = -1, begin: Callable[[], None] = lambda: None
    ) -> None:
        self._authored, self._stop, self._begin = authored, stop, begin
        self.reached: list[Place] = []

    def traced(self, call: Callable[[], Gradient]) -> Gradient:
        """Return the result of a call that is traced."""
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            return call()
        finally:
            sys.settrace(before)

    def _called(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        return self._line if self._authored(frame.f_code.co_filename) else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Trace:
        if event == "line":
            if len(self.reached) == self._stop:
                self._begin()
            self.reached.append((frame.f_code.co_filename, frame.f_lineno))
        return self._line


def _stops(reached: Sequence[Place]) -> list[int]:
    """Choose a run of each line, in its middle, and no more than some lines, evenly."""
    runs: dict[Place, list[int]] = {}
    for number, place in enumerate(reached):
        runs.setdefault(place, []).append(number)
    stops = sorted(numbers[len(numbers) // 2] for numbers in runs.values())
    return stops[:: -(-len(stops) // MOST_STOPS)] if stops else []
