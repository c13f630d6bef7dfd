"""The lecture's statements: every verdict as computed, every refutation runs, and the judge rejects planted errors."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lecture_cases import CORRECTED, LINES, VERDICTS
from lecture_twins import PLANTED, REPAIRED

from gradcheck.chapters.lecture import SENTENCES, backward, chapter, equations, online, sentences
from gradcheck.chapters.lecture.costs import CORRECTED as RECOUNTED
from gradcheck.records import Chapter, Collection, Statement, Status, Strength, Verdict
from gradcheck.reference.lecture import STATEMENTS
from gradcheck.reference.lecture import backward_formulas as bptt
from gradcheck.reference.lecture.costs import COSTS
from gradcheck.reference.lecture.formulas import FORMULAS, Formula
from gradcheck.reference.lecture.quantities import FormalQuantities, derivative, family, numeric, point_of, run, timed
from gradcheck.reference.network import Network, Sizes
from gradcheck.reference.problem import Problem, forward
from gradcheck.reference.scalars.ball import BallField
from gradcheck.reference.scalars.dual import DualField
from gradcheck.report import from_json, to_html, to_json, to_markdown, to_text


@pytest.fixture(scope="module")
def progress() -> list[str]:
    """Lines that the chapter told while it was judged."""
    return []


@pytest.fixture(scope="module")
def judged(progress: list[str]) -> Chapter:
    return chapter(progress.append)


def row(judged: Chapter, name: str) -> Statement:
    return next(s for s in judged.statements if s.id == name)


def test_verdicts_as_computed(judged: Chapter) -> None:
    found = {
        s.id: (s.verdict.word, s.corrected_verdict.word if s.corrected_verdict else None) for s in judged.statements
    }
    assert found == VERDICTS


def test_every_line_of_the_lecture_has_a_row() -> None:
    ids = [s.id for s in STATEMENTS]
    assert len(set(ids)) == len(ids) == len(VERDICTS)
    named = {name for _, rows in LINES for name in rows}
    assert named == set(ids), named ^ set(ids)
    assert all(rows for _, rows in LINES)


def test_rows_are_complete() -> None:
    for s in STATEMENTS:
        formula = FORMULAS.get(s.id)
        assert formula or s.id in SENTENCES, s.id
        assert bool(s.corrected) == bool(s.id in RECOUNTED or (formula and formula.corrected)), s.id
        assert s.comment.endswith((".", "?")) and s.section and s.title and s.printed, s.id
    assert {*FORMULAS, *SENTENCES} == {s.id for s in STATEMENTS}


def test_a_verdict_carries_its_grounds(judged: Chapter) -> None:
    for s in judged.statements:
        for verdict in (s.verdict, s.corrected_verdict):
            if verdict is None:
                continue
            assert verdict.claim == s.title and verdict.evidence and verdict.statement, s.id
            counted = all(e.kind == "counting" for e in verdict.evidence)  # which is refuted by its polynomial
            assert (verdict.status is Status.REFUTED and not counted) == (verdict.counterexample is not None), s.id
            assert all(e.status is not Status.INCONCLUSIVE for e in verdict.evidence), s.id
            if verdict.status is Status.HOLDS:
                assert verdict.strength >= Strength.EXACT and any(e.scope for e in verdict.evidence), s.id


def refuted(judged: Chapter) -> dict[str, Verdict]:
    return {s.id: s.verdict for s in judged.statements if s.verdict.status is Status.REFUTED}


@pytest.mark.parametrize("name", [name for name, verdicts in VERDICTS.items() if verdicts == CORRECTED])
def test_counterexamples_run_alone(judged: Chapter, name: str) -> None:
    example = refuted(judged)[name].counterexample
    assert example is not None
    done = subprocess.run([sys.executable, "-I", "-c", example.snippet], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    true, got, off = (float(words[words.index(word) + 1]) for word in ("true", "form", "by"))
    assert off > 1e-6, done.stdout
    # Half a unit in the last of 16 digits, and the rounding of a few tens of operations of order 1.
    assert abs(true - float(example.expected)) < 1e-13 and abs(got - float(example.got)) < 1e-13, done.stdout
    assert abs(off - float(example.gap)) < 1e-5 * off, done.stdout


@pytest.mark.parametrize("name", [name for name, verdicts in VERDICTS.items() if verdicts == CORRECTED])
def test_counterexamples_are_small_and_start_at_zero(judged: Chapter, name: str) -> None:
    example = refuted(judged)[name].counterexample
    assert example is not None and example.allowance == "0"
    assert max(example.problem["sizes"].values()) <= 2, example.problem["sizes"]
    arrays = example.problem["arrays"]
    assert {float(v) for v in arrays["initial_state"]} == {0.0}, "the lecture's a(0)"
    numbers = [float(v) for array in arrays.values() for v in np.array(array, dtype=object).reshape(-1)]
    assert all(v in (-1.0, 0.0, 1.0, 2.0) for v in numbers), numbers


def test_what_is_said_of_the_orientation(judged: Chapter) -> None:
    said = {name: verdict.diagnosis or "" for name, verdict in refuted(judged).items()}
    transposed = {name for name, text in said.items() if "it is the transpose of the gradient" in text}
    assert transposed == {"dV-matrix", "dR-component", "dW-component", "summary-dW", "summary-dV"}
    assert {name for name, text in said.items() if "either orientation" in text} == {"dR-unit", "summary-dR"}


@pytest.mark.parametrize("name", ["dW-component", "summary-dW", "dV-matrix", "summary-dV"])
def test_the_shapes_alone_speak_against_it(judged: Chapter, name: str) -> None:
    shapes = [e.statement for e in row(judged, name).verdict.evidence if e.kind == "shapes"]
    assert shapes and "has shape" in shapes[0]


def test_further_evidence(judged: Chapter) -> None:
    said = {s.id: " ".join(e.statement for e in s.verdict.evidence) for s in judged.statements}
    assert "with softmax" in said["dyhat-cross"] and "-0.25, not 0" in said["dyhat-cross"]
    assert "2 (yhat_k - y_k)" in said["least-squares"]
    assert "from 0.5 to 8" in said["descent"]
    assert "dL/dw = 1, 0, 1" in said["approximates"]
    assert "agree for tanh, identity, relu; logistic has f(0) = 0.5" in said["start-s"]
    assert "1, 8, 27" in said["entries"]
    assert "every tau < 41" in said["convergence"]


def test_the_slide_holds_for_the_identity_output() -> None:
    rng = np.random.default_rng(3)
    shapes = {"W": (2, 2), "R": (2, 2), "V": (2, 2)}
    for network in (Network("tanh"), Network("logistic")):
        parameters = {n: rng.normal(size=s) for n, s in shapes.items()}
        problem = Problem(parameters, rng.normal(size=(2, 2)), rng.normal(size=(2, 2)), network=network)
        for name in ("dyhat-sum", "dyhat-own", "yhat-linear"):
            assert equations.violation(FORMULAS[name], FORMULAS[name].printed, problem) is None, name


# Twins: the same judge on equations with a planted error, and on printed ones repaired.


@pytest.mark.parametrize(("name", "side"), PLANTED, ids=[side.__name__ for _, side in PLANTED])
def test_a_corrupted_equation_is_refuted(name: str, side: Callable[[Any], Any]) -> None:
    verdict = equations.judge("planted", FORMULAS[name], side)
    assert verdict.status is Status.REFUTED and verdict.counterexample, verdict.statement
    done = subprocess.run([sys.executable, "-I", "-c", verdict.counterexample.snippet], capture_output=True, text=True)
    assert done.returncode == 0 and float(done.stdout.split()[-1]) > 1e-6, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "side"), REPAIRED, ids=[side.__name__ for _, side in REPAIRED])
def test_a_repaired_equation_is_proved(name: str, side: Callable[[Any], Any]) -> None:
    assert equations.judge("repaired", FORMULAS[name], side).word == "PROVED"


def test_a_difference_without_a_counterexample_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equations, "NETWORKS", ())
    verdict = equations.judge("planted", FORMULAS["dR-component"], bptt.dR_printed)
    assert verdict.status is Status.INCONCLUSIVE and verdict.counterexample is None


class Forgetful(online.RTRL):
    """RTRL that forgets the influence of earlier steps."""

    def step(self, state: Any, x: Any, y: Any, weight: Any) -> Any:
        return super().step(state._replace(M=state.M * 0), x, y, weight)


class Hoarder(online.RTRL):
    """RTRL whose activations grow with the sequence."""

    def step(self, state: Any, x: Any, y: Any, weight: Any) -> Any:
        after, contribution = super().step(state._replace(a=state.a[-3:]), x, y, weight)
        return after._replace(a=np.concatenate([state.a, after.a])), contribution


def cut_at_blocks(problem: Any, *, block: int) -> Any:
    from gradcheck.algorithms import chunked_bptt

    return chunked_bptt(problem, length=block)


def one_step_too_far(problem: Any, *, tau: int) -> Any:
    from gradcheck.algorithms import truncated_bptt

    return truncated_bptt(problem, tau=tau + 1)


one_step_too_far.__gradcheck__ = backward.truncated_bptt.__gradcheck__  # type: ignore[attr-defined]

SENTENCE_TWINS: tuple[tuple[str, Any, str, Any], ...] = (
    ("risk", backward, "empirical_risk", lambda problems: backward.loss(problems[0])),
    (
        "network",
        backward,
        "forward",
        lambda p: forward(p.replace(parameters={**p.parameters, "R": p.parameters["R"].T})),
    ),
    ("descent", backward, "_directional", lambda sizes: False),
    ("horizon", backward, "truncated_bptt", one_step_too_far),
    ("during-forward", online, "RTRL", Forgetful),
    ("tracked", online, "RTRL", Forgetful),
    ("not-stored", online, "RTRL", Hoarder),
    ("not-truncated", online, "Schmidhuber", Forgetful),
    ("blocks", online, "Schmidhuber", cut_at_blocks),
)


@pytest.mark.parametrize(("name", "module", "attribute", "wrong"), SENTENCE_TWINS, ids=[t[0] for t in SENTENCE_TWINS])
def test_a_sentence_is_not_waved_through(
    monkeypatch: pytest.MonkeyPatch, name: str, module: Any, attribute: str, wrong: Any
) -> None:
    assert SENTENCES[name]("as it is").status is Status.HOLDS
    monkeypatch.setattr(module, attribute, wrong)
    verdict = SENTENCES[name]("planted")
    assert verdict.status is not Status.HOLDS and verdict.strength is Strength.NONE, verdict.statement


def test_descent_needs_the_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inner product with anything but the gradient is not the directional derivative."""
    q = FormalQuantities(equations.SQUARE)
    monkeypatch.setattr(backward, "quantities", lambda sizes: q)
    assert backward._directional(equations.SQUARE)
    q._known["L", "R", None, None] = q.d("L", "R").T
    assert not backward._directional(equations.SQUARE)


def test_zeros_are_seen() -> None:
    q = equations.quantities(equations.SQUARE)
    assert not sentences.nowhere_zero(q.field, q.d("s", "R", 1))
    assert not sentences.same(q.field, q.d("s", "R", 2), q.d("s", "R", 1))
    assert not sentences.same(q.field, q.a[1], q.x[:1])


# The two routes to a derivative


DERIVATIVES: tuple[tuple[Any, ...], ...] = (
    ("L", "W"),
    ("L", "R", 2),
    ("L", "V", 1),
    ("s", "R", 3),
    ("s", "W", 2),
    ("a", "R", 2),
    ("yhat", "V", 2),
    ("L", "s", None, 1),
    ("L", "s", None, 0),
    ("L", "a", None, 2),
    ("L", "yhat", None, 3),
    ("L", "R", None, 2),
    ("s", "R", 2, 2),
    ("s", "a", 3, 2),
    ("yhat", "a", 1, 1),
)


def by_dual_numbers(q: FormalQuantities) -> Callable[..., Any]:
    """`derivative` with dual numbers over the same polynomials, where f, g and L are as undefined as SymPy's."""
    field, dual = q.field, DualField(q.field)
    problem = q.problem.map(lambda array: dual.join(array, array * 0))
    gamma = dual.join(field.symbols("gamma", ()), field.lift(0)).item()
    functions, unit = family("undefined", gamma), dual.join(field.lift(0), field.lift(1)).item()
    x, y = timed(problem.inputs), timed(problem.targets)

    def forward(point: Any) -> Any:
        return run(point, x, y, problem.initial_state, functions.f, functions.g, functions.loss)

    return lambda *of: derivative(forward, point_of(problem), unit, lambda v: dual.tangents(np.asarray(v)), *of)


@pytest.mark.parametrize("of", DERIVATIVES, ids=str)
def test_sympy_and_dual_numbers_agree(of: tuple[Any, ...]) -> None:
    q = equations.quantities(equations.SQUARE)
    assert sentences.same(q.field, q.d(*of), by_dual_numbers(q)(*of))


def test_the_two_routes_would_be_told_apart() -> None:
    q = equations.quantities(equations.SQUARE)
    assert not sentences.same(q.field, q.d("L", "s", tau=1), by_dual_numbers(q)("L", "s", None, 2))


def test_quantities_on_balls() -> None:
    problem = Problem(
        {"W": np.eye(2), "R": np.ones((2, 2)) / 2, "V": np.ones((2, 1))}, np.ones((3, 2)), np.zeros((3, 1)),
        network=Network("tanh", "tanh"),
    )  # fmt: skip
    field = BallField(128)
    with field.working():
        q = numeric(problem, field)
        for name, formula in FORMULAS.items():
            if formula.family == "undefined":
                right = (formula.corrected or formula.printed)(q)
                left = formula.left(q)
                for key, value in right.items():
                    pairs = zip(field.natives(left[key]), field.natives(value), strict=True)
                    assert all(a.overlaps(b) and float((a - b).rad()) < 1e-30 for a, b in pairs), (name, key)


# The report


def test_every_sentence_on_costs_is_judged_by_counting(judged: Chapter) -> None:
    rows = {s.id: s for s in judged.statements if s.id.startswith("cost-")}
    assert list(rows) == [printed.id for printed in COSTS]
    printed = " ".join(statement.printed for statement in rows.values())
    for fragment in (
        "TI(I+K+D)",
        r"\tau I(I+K+D)",
        "I^4",
        "I^3",
        "local in space",
        "local in time",
        "$T/I$",
        "storage of all",
    ):
        assert fragment in printed
    refuted = {name for name, statement in rows.items() if statement.verdict.status is Status.REFUTED}
    assert refuted == {"cost-truncated-time", "cost-schmidhuber-all", "cost-schmidhuber-storage"}
    for name, statement in rows.items():
        held = statement.corrected_verdict if name in refuted else statement.verdict
        assert held is not None and (held.status, held.strength) == (Status.HOLDS, Strength.EXACT), held
        assert {e.kind for e in held.evidence} == {"counting"}


def test_a_wrong_sentence_on_costs_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With RTRL's costs for those of BPTT every sentence on BPTT falls; a sentence with another bound does too."""
    from gradcheck.algorithms import RTRL
    from gradcheck.chapters.lecture import costs

    monkeypatch.setattr(costs, "bptt", RTRL)
    for judge in (costs.bptt_storage, costs.bptt_time, costs.bptt_space, costs.schmidhuber_block):
        assert judge("planted").status is Status.INCONCLUSIVE
    assert costs._schmidhuber("T*I**4", "planted", refuted=True).status is Status.INCONCLUSIVE


def test_the_chapter_renders(judged: Chapter) -> None:
    collection = Collection("The lecture", (), (judged,))
    assert collection.passed and collection.exit_status == 0
    assert from_json(to_json(collection)) == collection
    page = to_html(collection)
    assert 'class="latex"' not in page, "a formula could not be typeset"
    for text in (to_text(collection), to_markdown(collection)):
        assert all(s.title in text for s in judged.statements)


def test_a_refuted_row_without_correction_fails_the_report(judged: Chapter) -> None:
    broken = dataclasses.replace(row(judged, "dR-component"), corrected="", corrected_verdict=None)
    assert not Collection("planted", (), (dataclasses.replace(judged, statements=(broken,)),)).passed


def test_progress_is_told(judged: Chapter, progress: list[str]) -> None:
    assert progress == [row.title for row in STATEMENTS]


def test_a_formula_that_cannot_be_formed_is_a_difference() -> None:
    def beyond(q: Any) -> Any:
        return {"dL/dR": q.a[1][7]}

    seen = equations.compare(Formula(bptt.left_dR, beyond), beyond, equations.quantities(Sizes(1, 2, 3, 4)))
    assert seen is not None and seen.shape and "cannot be formed" in seen.text
