"""The machinery of the benchmarks, on clocks and rows that take no time; what the real rows measure is not a test's."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import frameworks, plots, residues, rivals, threads
from benchmarks.comparing import Change, compare, elsewhere
from benchmarks.growth import Curve, Line, counted_exponent, fitted
from benchmarks.results import Result, Results, Surroundings, measure, read, write
from benchmarks.rows import Goal, Outcome, Row, Skipped, at_least, at_most, in_turn, quartiles, require_same
from gradcheck.algorithms import RTRL, Schmidhuber, bptt, truncated_bptt
from gradcheck.algorithms.online import run_rule
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.networks.base import Sizes
from gradcheck.reference.scalars.residues.array import ResidueField

pytestmark = pytest.mark.jax


def lacking() -> Outcome:
    raise Skipped("pip install torch")


FAST = Row("fast", at_most(2), lambda: Outcome(1.5, {"a": 3.0, "b": 2.0}, (1.25, 1.75)))
SLOW = Row("slow", at_least(5), lambda: Outcome(1.5, {"a": 3.0, "b": 2.0}))
LACKING = Row("lacking", at_most(1), lacking)
HERE = Surroundings("Linux x86_64, 2 cores", {"Python": "3.11.7", "numpy": "2.4.6"}, 1, "0" * 40)
LINE = Line("float64 runs", "RTRL", "I", 8, (16, 32, 64), (1.0, 16.0, 256.0), 4.0, 4)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`python -m benchmarks` with these rows and no growth."""

    def run(rows: list[Row], *arguments: str) -> int:
        monkeypatch.setattr(benchmarks, "ROWS", tuple(rows))
        monkeypatch.setattr(benchmarks, "GROWTH", ())
        return benchmarks.main(list(arguments))

    return run


# Measuring.
def test_both_sides_run_in_turn() -> None:
    order: list[str] = []
    outcome = in_turn(lambda: order.append("a"), lambda: order.append("b"), ("a", "b"), repeats=3)
    assert "".join(order) == "abababab" and list(outcome.seconds) == ["a", "b"]
    in_turn(lambda: order.append("c"), lambda: order.append("d"), ("c", "d"), repeats=1, warm=False)
    assert "".join(order[8:]) == "cd"


def test_the_ratio_is_the_median_over_the_turns_on_whatever_clock() -> None:
    taken = iter([1, 2, 3, 1, 40, 10, 1, 1, 6, 2])
    instants = itertools.chain.from_iterable((t, t + next(taken)) for t in itertools.count(0, 100))
    outcome = in_turn(int, int, ("a", "b"), repeats=5, warm=False, clock=lambda: float(next(instants)))
    assert outcome == Outcome(3.0, {"a": 3.0, "b": 2.0}, (1.0, 3.0)), outcome


def test_a_single_measurement_has_no_quartiles() -> None:
    assert quartiles([3.0]) is None and quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 4.0)


@pytest.mark.parametrize(
    ("goal", "met", "missed"), [(at_most(2), (1.0, 2.0), (2.01,)), (at_least(5), (5.0, 9.0), (4.9,))]
)
def test_a_goal_includes_its_bound(goal: Goal, met: tuple[float, ...], missed: tuple[float, ...]) -> None:
    assert all(map(goal.met, met)) and not any(map(goal.met, missed))
    assert str(goal) == ("≥ 5" if goal.at_least else "≤ 2")


# Rows compare what is equal.
SMALL = Sizes(6, 3, 2, 2)


@pytest.mark.parametrize("rule", [bptt, RTRL, Schmidhuber])
def test_sides_that_compute_the_same_are_compared(rule: Any) -> None:
    problem = frameworks.problem_of(SMALL)
    require_same(run_rule(rule, problem), bptt(problem))


def test_a_row_whose_sides_differ_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rivals.RIVALS, "truncated", lambda problem: lambda: truncated_bptt(problem, tau=5))
    monkeypatch.setitem(rivals.RIVALS, "the same", lambda problem: lambda: bptt(problem))
    with pytest.raises(AssertionError, match="W"):
        rivals.against("BPTT", "truncated", SMALL, repeats=1).run()
    assert rivals.against("BPTT", "the same", SMALL, repeats=1).run().ratio > 0


def test_an_empty_side_fails() -> None:
    for nothing in ({}, {"Q": np.ones(1)}):
        with pytest.raises(AssertionError, match="gradients of"):
            require_same(nothing, {"W": np.ones(1)})


def test_a_rule_whose_residues_are_not_its_floats_fails() -> None:
    field = ResidueField(residues.SMALL_PRIME)
    residues.require_same_residues(RTRL, field, SMALL)

    def off_by_a_step(problem: Any) -> Any:
        return truncated_bptt(problem, tau=5)

    def other_on_residues(problem: Any) -> Any:
        right = bptt(problem)
        return right if type(problem.inputs) is np.ndarray else {n: a + 1 for n, a in right.items()}

    with pytest.raises(AssertionError, match="not the gradient"):
        residues.require_same_residues(off_by_a_step, field, SMALL)
    with pytest.raises(AssertionError, match="floats and residues differ"):
        residues.require_same_residues(other_on_residues, field, SMALL)


@pytest.fixture
def frameworks_left_alone() -> Iterator[None]:
    """What `threads` sets in torch and JAX is put back: other tests share the process."""
    torch, jax = (pytest.importorskip(name) for name in ("torch", "jax"))
    number, wide = torch.get_num_threads(), jax.config.jax_enable_x64
    yield
    torch.set_num_threads(number)
    jax.config.update("jax_enable_x64", wide)


@pytest.mark.torch
@pytest.mark.parametrize("name", list(rivals.RIVALS))
@pytest.mark.usefixtures("frameworks_left_alone")
def test_rivals_compute_the_gradient(name: str) -> None:
    problem = frameworks.problem_of(SMALL)
    require_same(rivals.RIVALS[name](problem)(), bptt(problem))


@pytest.mark.parametrize("row", benchmarks.ROWS, ids=lambda row: row.name)
def test_every_row_has_a_goal_and_something_to_run(row: Row) -> None:
    assert callable(row.run) and row.goal.bound > 0
    assert [other.name for other in benchmarks.ROWS].count(row.name) == 1, f"two rows are called {row.name}"


def test_blas_gets_its_threads_before_numpy_is_loaded() -> None:
    program = (
        "from benchmarks import threads; import os\n"
        "assert threads.FIXED and 'OPENBLAS_NUM_THREADS' not in os.environ, 'NumPy was loaded before'"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, cwd=Path(__file__).parents[2])
    assert not threads.FIXED, "pytest loads NumPy first"


# Results as JSON.
def results(*rows: Result, **changed: Any) -> Results:
    return Results(dataclasses.replace(HERE, **changed), rows, (LINE,))


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = results(*map(measure, (FAST, SLOW, LACKING)))
    write(written, tmp_path / "rows.json")
    assert read(tmp_path / "rows.json") == written
    assert [row.met for row in written.rows] == [True, False, None]
    content = json.loads((tmp_path / "rows.json").read_text())
    assert (content["schema"], content["version"], content["commit"]) == ("gradcheck benchmarks", 1, HERE.commit)
    assert content["rows"][0] == {
        "name": "fast",
        "goal": {"bound": 2, "at_least": False},
        "ratio": 1.5,
        "quartiles": [1.25, 1.75],
        "met": True,
        "seconds": {"a": 3.0, "b": 2.0},
    }


BROKEN = {
    "absent": (None, "cannot be read"),
    "not JSON": ("{", "is no JSON"),
    "a list": ("[]", "no schema"),
    "another file": ('{"schema": "https://example.org"}', "schema 'https://example.org'"),
    "another version": ('{"schema": "gradcheck benchmarks", "version": 2}', "has version 2"),
    "without rows": ('{"schema": "gradcheck benchmarks", "version": 1}', "damaged benchmark result: KeyError"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_is_no_result_is_named_with_what_was_wanted(
    case: str, tmp_path: Path, commands: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    content, message = BROKEN[case]
    path = tmp_path / "old.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(GradcheckError, match=message):
        read(path)
    ran: list[int] = []
    row = Row("untouched", at_most(1), lambda: Outcome(float(len(ran)), {}))
    assert commands([row], "--compare", str(path)) == 2
    assert message in capsys.readouterr().out and not ran, "rows ran before the file was read"


def test_results_that_cannot_be_written_say_so(tmp_path: Path) -> None:
    with pytest.raises(GradcheckError, match="cannot be written"):
        write(results(), tmp_path)


# Comparing.
def row_of(low: float, high: float, goal: Goal = FAST.goal, name: str = "a") -> Result:
    return Result(name, goal, (low + high) / 2, (low, high), {})


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        (row_of(1.0, 1.2), row_of(1.3, 1.4), Change.WORSE),
        (row_of(1.0, 1.2), row_of(1.1, 1.4), Change.SAME),
        (row_of(1.0, 1.2), row_of(0.8, 0.9), Change.BETTER),
        (row_of(8.0, 9.0, at_least(5)), row_of(6.0, 7.0, at_least(5)), Change.WORSE),
        (row_of(8.0, 9.0, at_least(5)), row_of(9.5, 9.9, at_least(5)), Change.BETTER),
        (row_of(1.0, 1.2), Result("a", at_most(2), 9.0), Change.ONCE),
        (row_of(1.0, 1.2), Result("a", at_most(2), skipped="no torch"), Change.SKIPPED),
    ],
)
def test_a_change_counts_where_the_quartiles_are_apart(old: Result, new: Result, change: Change) -> None:
    assert [row.change for row in compare(results(old), results(new))] == [change]


def test_rounds_are_merged_with_the_noise_between_them(commands: Callable[..., int], tmp_path: Path) -> None:
    found = iter([Outcome(1.0, {"a": 1.0}, (0.9, 1.1)), Outcome(1.6, {"a": 3.0}, (1.5, 1.7)), Outcome(1.2, {"a": 2.0})])
    row = Row("a", at_most(2), lambda: next(found))
    path = tmp_path / "rows.json"
    assert commands([row, LACKING], "--rounds", "3", "--json", str(path)) == 0
    merged, lacking = read(path).rows
    assert merged == Result("a", at_most(2), 1.2, (0.9, 1.7), {"a": 2.0})
    assert lacking.skipped and lacking.ratio is None


def test_rows_of_one_run_only_are_named() -> None:
    found = compare(results(row_of(1, 2, name="old")), results(row_of(1, 2, name="new")))
    assert [(row.name, row.change) for row in found] == [("new", Change.NEW), ("old", Change.GONE)]


def test_other_surroundings_are_named() -> None:
    other = results(machine="Darwin arm64, 8 cores", threads=None, versions={"Python": "3.11.7", "torch": "2.13.0"})
    assert elsewhere(results(), results(commit="f" * 40)) == ""
    told = elsewhere(results(), other)
    for fragment in ("Darwin arm64, 8 cores now", "threads: 1 then, None now", "numpy 2.4.6 then, none now"):
        assert fragment in told
    assert "torch none then, 2.13.0 now" in told


# The command.
@pytest.mark.parametrize(("rows", "status"), [([FAST, LACKING], 0), ([FAST, SLOW], 1)])
def test_the_exit_status_and_the_file_say_whether_the_goals_are_met(
    rows: list[Row], status: int, tmp_path: Path, commands: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.json"
    assert commands(rows, "--json", str(path)) == status
    assert [row.name for row in read(path).rows] == [row.name for row in rows]
    assert ("NO" if status else "pip install torch") in capsys.readouterr().out


def test_a_ratio_that_got_worse_is_shown_and_is_the_exit_status(
    tmp_path: Path, commands: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "rows.json")
    assert commands([FAST], "--json", path) == 0
    assert commands([FAST], "--compare", path) == 0
    slower = dataclasses.replace(FAST, run=lambda: Outcome(1.9, {"a": 3.8, "b": 2.0}, (1.8, 1.95)))
    capsys.readouterr()
    assert commands([slower], "--compare", path) == 1
    shown = capsys.readouterr().out
    assert "WORSE" in shown and "+27 %" in shown


def test_a_name_that_no_row_has_is_said_to_be_none(
    commands: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands([FAST], "--only", "nothing like it") == 2
    assert "no row and no growth has 'nothing like it' in its name" in " ".join(capsys.readouterr().out.split())


# Growth.
def test_the_fitted_exponent_is_that_of_a_power() -> None:
    assert abs(fitted((16, 32, 64), (3 * 16.0**2.5, 3 * 32.0**2.5, 3 * 64.0**2.5)) - 2.5) < 1e-9


def test_a_curve_is_measured_at_its_sizes_and_fitted_to_the_largest() -> None:
    prepared: list[Sizes] = []

    def prepare(sizes: Sizes) -> Callable[[], Any]:
        prepared.append(sizes)
        return lambda: None

    taken = iter([t for n in (8, 16, 32, 64) for t in [9.0 if n == 8 else n**3.0] * 3])
    instants = itertools.chain.from_iterable((0.0, next(taken)) for _ in itertools.count())
    line = Curve("a", "b", "I", 5, (8, 16, 32, 64), bptt, prepare).measure(clock=lambda: next(instants))
    assert [sizes.I for sizes in prepared] == [8, 16, 32, 64] and {sizes.T for sizes in prepared} == {5}
    assert line.seconds == (9.0, 16.0**3, 32.0**3, 64.0**3) and abs(line.exponent - 3) < 1e-9
    assert (line.counted, line.other) == (2, "T=5")


@pytest.mark.parametrize(("rule", "exponent"), [(bptt, 2), (Schmidhuber, 3), (RTRL, 4)])
def test_counted_exponents_are_those_of_the_lecture(rule: Any, exponent: int) -> None:
    assert (counted_exponent(rule, "T"), counted_exponent(rule, "I")) == (1, exponent)


def test_plots_have_both_exponents_and_are_a_column_wide(tmp_path: Path) -> None:
    other = dataclasses.replace(LINE, label="BPTT", exponent=1.5, counted=2)
    along_t = dataclasses.replace(LINE, along="T", counted=1)
    written = plots.draw([LINE, other, along_t], tmp_path / "plots")
    assert [path.name for path in written] == ["float64_runs_I.svg", "float64_runs_T.svg"]
    assert plots.legend(LINE) == "RTRL, T=8: I^4.00, counted I^4"
    assert plots.legend(along_t) == "RTRL, I=8: T^4.00, counted T"
    drawn = written[0].read_text()
    assert plots.legend(LINE) in drawn and plots.legend(other) in drawn, "the SVG keeps its letters as text"
    assert 'width="226.' in drawn, "80 mm are 226.8 points"
    with pytest.raises(GradcheckError, match="name a folder"):
        plots.draw([LINE], written[0])
