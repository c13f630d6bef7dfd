"""Histories: calls before a call, after which a rule must return what it would have returned without them.

A rule may keep what it worked out, to be quicker when it is asked again. It is wrong where what it kept does not fit: a
workspace that is used up, a cache that forgets one of the arrays, a buffer of another length, memory whose contents
have changed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ...problems.lively import lively_problem
from ...reference.claims import Claim, Settings
from ...reference.errors import GradcheckError
from ...reference.networks.base import Sizes
from ...reference.networks.state import state_of
from ...reference.problem import Problem
from ...reference.typing import Gradient
from ...rules.adapt import Rule
from ...rules.call import run
from ...rules.returned import by_name
from ..base import Case
from ..sizes import spread
from .calls import SMALLEST, KeepsState, NoTruth, difference, plain_call, right

SIZE = Sizes(3, 2, 2, 1)
FRESH = (Sizes(4, 3, 1, 3), Sizes(4, 2, 3, 2), Sizes(3, 4, 1, 2), Sizes(3, 3, 3, 4))
"""Sizes of which the first call is at float32, each followed by one at which all calls are at float64."""
MOST_CALLS, SECONDS, WALL_SECONDS, AT_ONCE = 5000, 0.8, 3.0, 50
"""Calls in a row on one small problem, the processor time and the wall time after which they end, and how many of them
are one call of ours. A busy machine makes as many calls; a rule that waits for another machine ends them."""
_FAR = 2.0**-20
"""Relative error below which a result is asked for once more, after a call that has nothing to do with it: a rule that
is as wrong then keeps nothing."""
PAUSE = 0.05
"""Seconds after which results are looked at once more: a thread may still write to them."""


def check(case: Case, claims: Sequence[Claim]) -> None:
    """Run the histories.

    Args:
        case: The rule on its first network.
        claims: Its claims about results, with which those after another call are compared.

    Raises:
        KeepsState: A result depends on earlier calls.
        GradcheckError: The rule fails.
    """
    settings = spread(case.rule.settings(SIZE.T), 1)[0]
    problem = lively_problem(case.network, SIZE, case.seed, weighted=case.weighted)
    _repeat(case, problem, settings)
    with contextlib.suppress(NoTruth):
        for claim in claims[:1]:
            for number, pair in enumerate(_PAIRS):
                _in_both_orders(case, claim.bind(settings), pair, settings, case.seed + 100 + 4 * number)
            _first_at_float32(case, claim)
    _call_in_a_row(case)


def _repeat(case: Case, problem: Problem, settings: Settings) -> None:
    """Call three times running on one problem and after each of `_between`; look at the first result after a pause."""
    first = run(case.rule, problem.copy(), settings).gradient
    kept = {name: array.copy() for name, array in first.items()}
    for _ in range(2):
        again = run(case.rule, problem.copy(), settings).gradient
        if text := difference(again, kept, problem):
            raise KeepsState(f"{text} when it is called again at once")
    for history, rule, other in _between(case, problem):
        with contextlib.suppress(GradcheckError):  # a rule need not run on all of these
            run(rule, other, settings)
        try:
            again = run(case.rule, problem.copy(), settings).gradient
        except GradcheckError as error:
            raise KeepsState(f"it fails after {history}; it keeps what it computed there") from error
        if text := difference(again, kept, problem):
            raise KeepsState(f"{text} after {history}")
    time.sleep(PAUSE)
    if any(not np.array_equal(first[name], array) for name, array in kept.items()):
        raise KeepsState("its first result changed afterwards, during later calls or by a thread of its own")


def _between(case: Case, problem: Problem) -> Iterator[tuple[str, Rule, Problem]]:
    """Yield calls after which the rule must return what it did before: a name, the rule, and its problem.

    All are on floats: compiled code may end the process on other numbers.
    """
    yield "a call at float32", case.rule, problem.astype(np.float32)
    for network in case.rule.declaration.networks:
        if state_of(network) != state_of(case.network):
            other = lively_problem(network, SIZE, case.seed, weighted=case.weighted)
            yield f"a call on another network, {network}", case.rule, other
            break
    yield "a call in another thread", case.rule.within(_in_a_thread(case.rule)), problem.copy()


def _in_a_thread(rule: Rule) -> Callable[..., Gradient]:
    """Return a function that calls the rule in a thread of its own, and waits for it."""

    def call(problem: Problem, **settings: int) -> Gradient:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(plain_call, rule, problem, settings).result()

    return call


def _call_in_a_row(case: Case) -> None:
    """Call many times on one small problem."""
    settings = spread(case.rule.settings(SMALLEST.T), 1)[0]
    problem = lively_problem(case.network, SMALLEST, case.seed, weighted=case.weighted)
    results: list[Gradient] = []

    def several(problem: Problem, **settings: int) -> Gradient:
        """Call the rule some times without looking around it in between, which costs more than a small call."""
        for _ in range(AT_ONCE):
            result = plain_call(case.rule, problem.copy(), settings)
            results.append({name: np.array(array) for name, array in by_name(result).items()})
        return result

    rule = case.rule.within(several)
    start, deadline = time.process_time(), time.monotonic() + WALL_SECONDS
    while len(results) < MOST_CALLS and time.process_time() - start < SECONDS and time.monotonic() < deadline:
        before = len(results)
        run(rule, problem, settings)
        for number, result in enumerate(results[before:], start=before + 1):
            if text := difference(result, results[0], problem):
                raise KeepsState(f"{text}, the first and number {number} in a row")


@dataclass(frozen=True)
class _Pair:
    """A way to make a problem that a rule may take for another one."""

    text: str
    make: Callable[[Problem, Problem], Problem]
    in_place: bool = False


def _pairs() -> Iterator[_Pair]:
    yield _Pair("other inputs", lambda a, b: a.replace(inputs=b.inputs))
    yield _Pair("other targets", lambda a, b: a.replace(targets=b.targets))
    yield _Pair("another initial state", lambda a, b: a.varied(initial_state=b.initial_state))
    yield _Pair("other parameters", lambda a, b: a.replace(parameters=b.parameters))
    yield _Pair("another last input", lambda a, b: a.replace(inputs=np.concatenate([a.inputs[:-1], b.inputs[-1:]])))
    yield _Pair("other values in the same memory", lambda a, b: b, in_place=True)
    yield _Pair("one step less", lambda a, b: a.prefix(a.T - 1))


_PAIRS = tuple(_pairs())


def _in_both_orders(case: Case, claim: Claim, pair: _Pair, settings: Settings, seed: int) -> None:
    """Call on two problems that differ a little, in one order and, with other numbers, in the other.

    A rule that is right on the first and wrong on the second in both orders is wrong because of the first. One that is
    wrong at some value is so in either place. No two pairs share a number, so that nothing kept from one fits the next.
    """
    wrong = 0
    for number in range(2):
        base, other = (
            lively_problem(case.network, SIZE, seed + 2 * number + k, weighted=case.weighted) for k in range(2)
        )
        problems = [base, pair.make(base, other)]
        if number and not pair.in_place:
            problems.reverse()
        memory, found = problems[0].copy(), list[bool]()
        for position, problem in enumerate(problems):
            given = problem.copy()
            if pair.in_place and position:
                for name, array in memory.arrays().items():
                    array[...] = problem.arrays()[name]
                given = memory
            found.append(right(case, claim, problem, memory if not position else given, settings, _FAR))
        wrong += found == [True, False]
    if wrong == 2:
        raise KeepsState(
            f"its result is wrong after a call on a problem that differs in one thing: {pair.text}; it keeps what no "
            "longer fits"
        )


def _first_at_float32(case: Case, claim: Claim) -> None:
    """Call at float32 at sizes that are new, and then at float64: what is made for a size once has to fit both."""
    found = []
    for number, size in enumerate(FRESH):
        settings = spread(case.rule.settings(size.T), 1)[0]
        problem = lively_problem(case.network, size, case.seed + 200, weighted=case.weighted)
        if number % 2 == 0:
            with contextlib.suppress(GradcheckError):
                run(case.rule, problem.astype(np.float32), settings)
        found.append(right(case, claim.bind(settings), problem, problem.copy(), settings))
    if found == [False, True] * 2:
        raise KeepsState(
            "its result at float64 is wrong at a size of which the first call was at float32; it keeps what no longer "
            "fits"
        )
