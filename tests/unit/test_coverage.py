"""Branches of code: what there is, what ran, and what is said of the rest."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcheck.algorithms.bptt import bptt
from gradcheck.problems.lively import lively_problem
from gradcheck.reference.network import Network, Sizes
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.authors import authored_by
from gradcheck.rules.call import run, watching
from gradcheck.rules.coverage.profile import LineProfile
from gradcheck.rules.coverage.recorder import Recorder
from gradcheck.rules.coverage.seen import Seen
from gradcheck.rules.coverage.watched import watched


def seen(folder: Path, text: str, inputs: Iterable[Any]) -> Seen:
    """Return what runs of `f` in a file of this text, called with each of the inputs."""
    path = folder / "code.py"
    path.write_text(textwrap.dedent(text))
    namespace: dict[str, Any] = {"__name__": "code"}
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    recorder, found = Recorder(lambda name: name == str(path)), Seen()
    for value in inputs:
        recorder.reset()
        recorder.began("")
        try:
            namespace["f"](value)
        except ZeroDivisionError:
            pass
        finally:
            recorder.ended(None)
        found.add(recorder.as_data())
    return found


CASES: dict[str, tuple[str, list[Any], list[Any], list[str]]] = {
    "a branch": (
        """
        def f(n):
            if n > 3:
                n += 1
            return n
        """,
        [1], [1, 5], ["4 never ran"],
    ),
    "a test that is always true": (
        """
        def f(n):
            if n > 3:
                n += 1
            return n
        """,
        [5], [1, 5], ["3 `n > 3` was never false"],
    ),
    "a choice within a line": (
        """
        def f(n):
            return n * 2 if n > 3 else n
        """,
        [1], [1, 5], ["3 `n > 3` was never true"],
    ),
    "one of several conditions": (
        """
        def f(n):
            if n > 3 and n < 9:
                return 1
            return 0
        """,
        [1, 5], [1, 5, 10], ["3 `n < 9` was never false"],
    ),
    "a loop of one round": (
        """
        def f(n):
            total = 0
            for k in range(n):
                total += k
            return total
        """,
        [1], [1, 2], ["4-5 the loop never came to a second round"],
    ),
    "a loop in a loop": (
        """
        def f(n):
            total = 0
            for k in range(n):
                for m in range(n - 1):
                    total += m
                total += 1
            return total
        """,
        [2], [2, 3], ["5-6 the loop never came to a second round"],
    ),
    "a loop that some rounds leave": (
        """
        def f(n):
            for k in range(9):
                if k == n:
                    break
            return k
        """,
        [0], [0, 1], ["3-5 the loop never came to a second round", "4 `k == n` was never false"],
    ),
    "a loop of a generator": (
        """
        def parts(n):
            for k in range(n):
                yield k
        def f(n):
            return sum(parts(n))
        """,
        [1], [1, 3], ["3-4 the loop never came to a second round"],
    ),
    "a loop while something holds": (
        """
        def f(n):
            while n > 0:
                n -= 1
            return n
        """,
        [1], [1, 2], ["3-4 the loop never came to a second round"],
    ),
    "an endless loop that is left": (
        """
        def f(n):
            while True:
                n -= 1
                if n < 1:
                    break
            return n
        """,
        [1], [1, 2], ["3-6 the loop never came to a second round", "5 `n < 1` was never false"],
    ),
    "a loop while something holds, in another": (
        """
        def f(n):
            for k in range(n):
                m = k
                while m > 0:
                    m -= 1
            return n
        """,
        [2], [2, 3], ["5-6 the loop never came to a second round"],
    ),
    "a function that calls itself": (
        """
        def f(n):
            return n if n < 1 else f(n - 1)
        """,
        [0, 1], [0, 1, 2], ["2 the function called itself, but never twice deep"],
    ),
    "functions that call each other": (
        """
        def g(n):
            return f(n - 1)
        def f(n):
            return n if n < 1 else g(n)
        """,
        [0, 1], [0, 1, 3],
        ["4 the function called itself, but never twice deep"],
    ),
    "a comprehension of one part": (
        """
        def f(n):
            return [k for k in range(n)]
        """,
        [1], [1, 2], ["3 the loop never came to a second round"],
    ),
    "loops of one round whatever comes": (
        """
        def f(n):
            for k in (n,):
                n += k
            for k in range(n):
                return k
            for name in {"n": n}.values():
                n += name
            for _ in range(1):
                n += 1
            return [m for m in [n]]
        """,
        [1], [1, 0], ["7-11 never ran"],
    ),
    "a condition of a comprehension": (
        """
        def f(n):
            return [k for k in range(n) if n - k < 4]
        """,
        [3], [3, 6], ["3 `n - k < 4` was never false"],
    ),
    "a loop that is not entered": (
        """
        def f(n):
            for k in range(3, n):
                n += k
            return n
        """,
        [1], [5], ["4 never ran"],
    ),
    "a handler": (
        """
        def f(n):
            try:
                return 1 / n
            except ZeroDivisionError:
                n = 5
            return n
        """,
        [1], [1, 0], ["5-7 never ran"],
    ),
    "a value that is None or not": (
        """
        def f(n):
            if n is None:
                n = 1
            return n
        """,
        [None], [None, 2], ["3 `n` was never not None"],
    ),
    "a function of a table": (
        """
        def slow(n):
            return n - 1

        def fast(n):
            return n + 1

        TABLE = {True: slow, False: fast}

        def f(n):
            return TABLE[n > 3](n)
        """,
        [1], [1, 5], ["3 slow was never called"],
    ),
    "a case of a match": (
        """
        def f(n):
            match n:
                case 1:
                    return 2
                case 7:
                    return 3
            return 4
        """,
        [1, 2], [1, 2, 7], ["7 never ran"],
    ),
    "a function in a function": (
        """
        def f(n):
            def inner(k):
                if k > 3:
                    return 0
                return k
            return inner(n)
        """,
        [1], [1, 5], ["5 never ran"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_never_ran_is_named_and_nothing_else(tmp_path: Path, case: str) -> None:
    text, few, all_of_it, expected = CASES[case]
    assert [f"{each.lines} {each.text}" for each in seen(tmp_path, text, few).unseen()] == expected
    assert seen(tmp_path, text, all_of_it).unseen() == ()


@pytest.mark.parametrize(
    "text",
    [
        "def f(n):\n    if n > 3:\n        raise ValueError(n)\n    return n",
        "def f(n):\n    if n > 3:\n        text = str(n)\n        raise ValueError(text)\n    return n",
        "import warnings\ndef f(n):\n    if n > 3:\n        warnings.warn('n')\n    return n",
        "def f(n):\n    assert n < 3, 'n'\n    return n",
        "def f(n):\n    '''Text.'''\n    while n > -1:\n        n -= 1\n    return n",
        "def check(n):\n    if n > 3:\n        raise ValueError(n)\ndef f(n):\n    check(n)\n    return n",
    ],
)
def test_what_computes_nothing_does_not_count(tmp_path: Path, text: str) -> None:
    assert seen(tmp_path, text, [1]).unseen() == ()


def test_what_ran_in_one_comparison_counts_for_all(tmp_path: Path) -> None:
    text = CASES["a branch"][0]
    first, second = seen(tmp_path, text, [1]), seen(tmp_path, text, [5])
    assert first.unseen() and second.unseen()
    first.include(second)
    assert first.unseen() == ()


def test_the_trace_function_of_others_is_given_back(tmp_path: Path) -> None:
    import sys

    def other(*_: Any) -> Callable[..., Any] | None:
        return None

    before = sys.gettrace()
    sys.settrace(other)
    try:
        seen(tmp_path, CASES["a branch"][0], [1])
        assert sys.gettrace() is other
    finally:
        sys.settrace(before)


def test_code_that_was_typed_at_a_prompt_is_the_authors_too() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile("def f(n):\n    if n > 3:\n        n += 1\n    return n", "<stdin>", "exec"), namespace)
    recorder, found = Recorder(authored_by(namespace["f"])), Seen()
    recorder.began("")
    namespace["f"](1)
    recorder.ended(None)
    found.add(recorder.as_data())
    assert [each.lines for each in found.unseen()] == ["3"]


def test_a_call_that_computes_is_not_taken_for_a_message(tmp_path: Path) -> None:
    text = "import numpy as np\ndef f(n):\n    x = np.ones(2)\n    if n > 3:\n        np.log(x, out=x)\n    return x"
    assert [each.lines for each in seen(tmp_path, text, [1]).unseen()] == ["5"]


def test_an_object_that_answers_with_errors_is_left_alone(tmp_path: Path) -> None:
    text = """
        class Angry:
            def __getattr__(self, name):
                raise RuntimeError(name)

            __class__ = property(lambda self: 1 / 0)

        ANGRY = Angry()

        def f(n):
            return n if ANGRY is not None else 0
        """
    assert [each.lines for each in seen(tmp_path, text, [1]).unseen()] == ["11"]


def _loops(problem: Any) -> Any:
    total = 0 * problem.inputs[0, 0]
    for x in problem.inputs:
        total = total + x[0]
    return {name: 0 * array + total for name, array in problem.parameters.items()}


def test_a_profile_counts_lines_beside_a_recorder() -> None:
    def authored(file: str) -> bool:
        return file == __file__

    profiles, recorder, before = [], Recorder(authored), sys.gettrace()
    for T in (3, 5):
        with watching(recorder), watching(LineProfile(authored)) as profile:
            run(as_rule(_loops), lively_problem(Network(), Sizes(T, 2, 1, 1), 0))
        profiles.append(profile)
    short, long = profiles
    assert short.differs(short) is None
    place, few, many = short.differs(long)
    assert place.startswith("test_coverage.py:") and (few, many) in {(3, 5), (4, 6)}, (place, few, many)
    assert not any(missed for *_, missed in recorder.as_data()), "the recorder saw nothing beside a profile"
    assert sys.gettrace() is before


def test_comparisons_of_floats_are_seen_where_the_authors_code_makes_them(tmp_path: Path) -> None:
    text = """
    import numpy as np
    def f(x):
        y = np.zeros_like(x) + np.tanh(x)
        y += np.where(np.isclose(y, 9), 1, 0)
        close = x >= 0
        np.multiply(x, 2, out=y)
        return y[close], np.linalg.norm(x)
    """
    assert all(each.lines != "6" for each in seen(tmp_path, text, [np.ones(3)]).unseen())
    found = seen(tmp_path, text, [watched(lively_problem(Network(), Sizes(3, 2, 2, 1), 0)).inputs * 0 + 1])
    assert [f"{each.lines} {each.text}" for each in found.unseen()] == [
        "5 `np.isclose(y, 9)` was never true",
        "6 `x >= 0` was never false",
    ]


def test_a_watched_problem_has_the_same_gradient() -> None:
    problem = lively_problem(Network("relu"), Sizes(5, 3, 2, 2), 0)
    plain, other = run(as_rule(bptt), problem.copy()).gradient, run(as_rule(bptt), watched(problem)).gradient
    assert all(type(array) is np.ndarray and (array == plain[name]).all() for name, array in other.items())
