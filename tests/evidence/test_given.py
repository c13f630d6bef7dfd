"""Problems that a user adds: judged, seen, saved, read back; and what is refused."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcheck
from gradcheck.algorithms import bptt
from gradcheck.engine.request import AuditRequest
from gradcheck.evidence import given
from gradcheck.evidence.base import Case, Witness
from gradcheck.judge import plans
from gradcheck.judge.effort import QUICK
from gradcheck.records import Status, Strength
from gradcheck.reference.claims import Exact
from gradcheck.reference.network import DEFAULT_NETWORK, Network
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Gradient
from gradcheck.rules.adapt import as_rule
from gradcheck.store import problems as files
from gradcheck.store.codec import loads


class Own(Network):
    """A network of a user's own."""

    def __repr__(self) -> str:
        return "Own()"


def problem(T: int = 3, I: int = 2, network: Any = DEFAULT_NETWORK, **changes: Any) -> Problem:  # noqa: E741
    draw = np.random.default_rng(T)
    shapes = {"W": (1, I), "R": (I, I), "V": (I, 1)}
    made = Problem(
        {name: draw.normal(size=shape) / 2 for name, shape in shapes.items()},
        draw.normal(size=(T, 1)), draw.uniform(0.1, 0.9, (T, 1)), network=network,
    )  # fmt: skip
    return made.replace(**changes)


SPECIAL = problem(inputs=np.array([[0.5], [0.25], [0.125]]))


def at_a_value(problem: Problem) -> Gradient:
    """Wrong at inputs that nobody would guess."""
    gradient = bptt(problem)
    inputs = problem.inputs
    if inputs.dtype.kind == "f" and inputs.shape[0] == 3 and inputs[:, 0].tolist() == [0.5, 0.25, 0.125]:
        gradient = {**gradient, "R": gradient["R"] * 2}
    return gradient


def case(rule: Any, *added: Problem) -> Case:
    return Case(as_rule(rule), Exact(), DEFAULT_NETWORK, 0, added)


# Evidence


def test_a_right_rule_holds_on_every_kind_of_number() -> None:
    found = {kind.kind: kind.gather(case(bptt, problem(), problem(4))) for kind in given.kinds((problem(), problem(4)))}
    assert list(found) == [given.KIND, given.BALLS, given.RESIDUES]
    for name, finding in found.items():
        assert (finding.evidence.kind, finding.evidence.status) == (name, Status.HOLDS), finding.evidence.statement
        assert finding.planted == (0, 0), "a problem of the user's is not chosen for planted faults"
    assert found[given.BALLS].evidence.strength is Strength.CERTIFIED
    assert found[given.RESIDUES].evidence.strength is Strength.EXACT


def test_a_rule_that_is_wrong_there_alone_is_refuted_with_that_problem() -> None:
    finding = given.GivenFloats((problem(), SPECIAL)).gather(case(at_a_value))
    assert finding.evidence.status is Status.REFUTED, finding.evidence.statement
    assert "problem 2 of those added" in finding.evidence.statement
    assert isinstance(finding.witness, Witness) and finding.witness.problem is SPECIAL
    assert given.GivenFloats((problem(),)).gather(case(at_a_value)).evidence.status is Status.HOLDS


def test_a_rule_that_is_wrong_everywhere_is_refuted_on_every_kind_of_number() -> None:
    def doubled(problem: Problem) -> Gradient:
        return {name: array * 2 for name, array in bptt(problem).items()}

    for kind in given.kinds((problem(),)):
        assert kind.gather(case(doubled)).evidence.status is Status.REFUTED, kind.kind


def test_a_rule_that_fails_there_is_an_error() -> None:
    def fails(problem: Problem) -> Gradient:
        return {"W": problem.inputs[3], **bptt(problem)}

    assert given.GivenFloats((SPECIAL,)).gather(case(fails)).evidence.status is Status.ERROR


def test_a_large_problem_is_judged_on_floats_alone() -> None:
    assert [kind.kind for kind in given.kinds((problem(9000),))] == [given.KIND]


def test_added_problems_are_planned_and_count_as_compared() -> None:
    planned = [kind.kind for kind in plans.kinds(case(bptt, problem()), QUICK, first=False)]
    assert planned[-3:] == [given.KIND, given.BALLS, given.RESIDUES] and set(planned[-3:]) <= plans.COMPARED
    assert not set(planned[-3:]) & {kind.kind for kind in plans.kinds(case(bptt), QUICK, first=False)}


# Whole audits


def on_exact(report: gradcheck.Report) -> gradcheck.Verdict:
    return next(verdict for verdict in report.verdicts if verdict.claim == "exact")


def at_a_sum(problem: Problem) -> Gradient:
    """Right, by a path that only a sum of inputs opens, which no search guesses."""
    gradient = bptt(problem)
    if problem.inputs.dtype.kind == "f" and round(float(problem.inputs.sum()), 6) == 81.828182:
        gradient = {name: array * 1 for name, array in gradient.items()}
    return gradient


OPENS = problem(3, inputs=np.array([[80.0], [1.0], [0.828182]]))


def test_a_problem_that_reaches_code_takes_it_off_the_list(brief: None, short_search: None) -> None:
    def judged(**how: Any) -> gradcheck.Verdict:
        report = gradcheck.audit(at_a_sum, [Exact()], effort="quick", isolated=False, **how)
        return on_exact(report)

    before, after = judged(), judged(problems=[OPENS])
    assert (before.strength, len(before.unseen)) == (Strength.SUPPORTED, 1)
    assert "add a problem that reaches it: audit(..., problems=[...]) or --problems" in before.statement
    assert (after.status, after.unseen) == (Status.HOLDS, ())
    assert given.KIND in {evidence.kind for evidence in after.evidence}


def test_an_audit_refutes_with_a_counterexample(brief: None, short_search: None, tmp_path: Path) -> None:
    path = gradcheck.save_problems([problem(), SPECIAL], tmp_path / "mine.json")
    report = gradcheck.audit(at_a_value, [Exact()], effort="quick", problems=path, jobs=1)
    verdict = on_exact(report)
    assert verdict.status is Status.REFUTED and verdict.counterexample is not None, str(verdict.statement)
    assert verdict.counterexample.problem["sizes"]["T"] == 3
    again = verdict.counterexample.write(tmp_path / "case.json")
    (kept,) = files.read(again).problems([DEFAULT_NETWORK])
    assert kept.T == 3, "a case is a file of one problem"


def test_a_rule_declares_its_problems() -> None:
    rule = gradcheck.rule(Exact(), problems=[SPECIAL])(lambda problem: bptt(problem))
    (added,) = AuditRequest(rule).prepare().problems
    assert np.array_equal(added.inputs, SPECIAL.inputs)
    assert not AuditRequest(rule, networks=(Network("relu"),)).prepare().problems, "it is judged elsewhere"
    assert len(AuditRequest(rule, problems=(problem(),)).prepare().problems) == 2


def test_a_request_travels_and_its_fingerprint_tells_problems_apart() -> None:
    request = AuditRequest(bptt, problems=(SPECIAL,))
    sent = pickle.loads(pickle.dumps(request)).prepare()
    assert np.array_equal(sent.problems[0].inputs, SPECIAL.inputs)
    assert sent.case(Exact(), 0).problems == sent.problems
    prints = [AuditRequest(bptt, problems=ps).prepare().fingerprint() for ps in (None, (SPECIAL,), (problem(),))]
    assert len({json.dumps(each["problems"]) for each in prints}) == 3
    assert prints[1] == request.prepare().fingerprint()


def test_a_problem_is_judged_on_its_own_network() -> None:
    networks = (Network("tanh"), Network("relu"))
    prepared = AuditRequest(bptt, networks=networks, problems=(problem(network=Network("relu")),)).prepare()
    assert [len(prepared.case(Exact(), number).problems) for number in (0, 1)] == [0, 1]


# Wrong input


def _changed_in_place() -> Problem:
    made = problem()
    made.inputs[0] = np.nan
    return made


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ([], "problems is empty; add at least one"),
        (SPECIAL, r"got a single Problem; write \[problem\]"),
        ({"T": 3}, "must be a list of gradcheck.Problem, or the path of a file"),
        (3, "must be a list of gradcheck.Problem, or the path of a file of them; got 3, a int"),
        ([SPECIAL, "mine"], "problem 2 is 'mine', a str; wanted gradcheck.Problem"),
        ([problem(network=Network("relu"))], "on which bptt is not judged; declare it"),
        ([problem(inputs=np.array([[1], [2], [3]], dtype=object))], r"inputs of dtype object; wanted floats"),
        ([problem(20_000)], "problem 1 is too large to be judged: T=20000"),
        ([_changed_in_place()], "problem 1 is no problem any more: inputs holds NaN"),
    ],
)  # fmt: skip
def test_bad_problems_are_refused_before_any_work(added: Any, message: str) -> None:
    with pytest.raises(gradcheck.GradcheckError, match=message):
        gradcheck.audit(bptt, [Exact()], networks=[DEFAULT_NETWORK], problems=added)


def test_loss_weights_need_a_rule_that_reads_them() -> None:
    weighted = problem(loss_weights=np.array([1.0, 0.0, 2.0]))
    plain = gradcheck.rule(Exact())(lambda problem: bptt(problem))
    with pytest.raises(gradcheck.GradcheckError, match="does not declare that it reads them"):
        AuditRequest(plain, problems=(weighted,)).prepare()
    assert AuditRequest(plain, problems=(weighted,), weighted=True).prepare().problems


def test_a_declaration_takes_a_list() -> None:
    with pytest.raises(gradcheck.GradcheckError, match="problems must be a list"):
        gradcheck.rule(Exact(), problems="mine.json")


# Files


def test_what_is_saved_is_read_back_to_the_last_bit(tmp_path: Path) -> None:
    several = [problem(), problem(5, network=Network("relu")), problem(2).astype(np.float32)]
    path = gradcheck.save_problems(several, tmp_path / "mine.json")
    read = files.read(path).problems([])
    for one, other in zip(several, read, strict=True):
        assert one.network == other.network and one.sizes == other.sizes
        for name, array in one.arrays().items():
            assert np.array_equal(array, other.arrays()[name]), name
    assert pickle.loads(pickle.dumps(files.read(path))) == files.read(path)


def test_a_network_of_ones_own_is_recognised_and_never_made(tmp_path: Path) -> None:
    own = Own()
    path = gradcheck.save_problems(problem(network=own), tmp_path / "own.json")
    (read,) = files.read(path).problems([DEFAULT_NETWORK, own])
    assert read.network is own
    with pytest.raises(gradcheck.GradcheckError, match="problem 1 of 'own.json'.* which this rule does not declare"):
        files.read(path).problems([DEFAULT_NETWORK])


def _removed(data: Any) -> Any:
    del data["problems"][0]["arrays"]["inputs"]
    return data


def _with(*path: Any, value: Any) -> Callable[[Any], Any]:
    def change(data: Any) -> Any:
        place = data
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        return data

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: [], "malformed"),
        (lambda data: {**data, "kind": "audit"}, "kind of a file of problems is one of problems, case; got 'audit'"),
        (lambda data: {**data, "schema_version": "2.0"}, "follows schema version 2.0"),
        (_with("problems", value=[]), "holds no problems; write some with gradcheck.save_problems"),
        (_with("problems", value="mine"), "malformed at problems"),
        (_with("problems", 0, "more", value=1), "malformed at problems"),
        (_removed, "problem 1 of 'mine.json' cannot be judged: its arrays lack inputs"),
        (_with("problems", 0, "arrays", "inputs", value=[["nan"], ["1"], ["1"]]), "inputs holds 'nan'"),
        (_with("problems", 0, "arrays", "R", value=[["1"]]), "do not fit together"),
        (_with("problems", 0, "sizes", "T", value=4), "its sizes are T=4"),
        (_with("problems", 0, "network", value={"kind": "Elsewhere"}), "malformed at problems"),
    ],
)
def test_a_malformed_file_is_refused(change: Callable[[Any], Any], message: str, tmp_path: Path) -> None:
    path = gradcheck.save_problems(problem(), tmp_path / "mine.json")
    path.write_text(json.dumps(change(loads(path.read_bytes(), "file"))))
    with pytest.raises(gradcheck.GradcheckError, match=message):
        AuditRequest(bptt, problems=files.read(path)).prepare()


def test_what_cannot_be_read_or_saved_is_refused(tmp_path: Path) -> None:
    for run, message in (
        (lambda: gradcheck.audit(bptt, problems=tmp_path / "none.json"), "cannot read .*No such file"),
        (lambda: gradcheck.save_problems([], tmp_path / "a.json"), "there are no problems to save"),
        (lambda: gradcheck.save_problems([3], tmp_path / "a.json"), "problem 1 is 3, a int"),  # type: ignore[list-item]
        (lambda: gradcheck.save_problems(problem(), tmp_path / "a.txt"), "saved as a .json file"),
    ):
        with pytest.raises(gradcheck.GradcheckError, match=message):
            run()


def test_the_schema_describes_what_is_written(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    path = gradcheck.save_problems([problem(), problem(network=Own())], tmp_path / "mine.json")
    jsonschema.validate(json.loads(path.read_text()), files.schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**json.loads(path.read_text()), "problems": [{"network": 3}]}, files.schema())


def test_the_command_line_reads_a_file(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from gradcheck.cli.commands import app

    for name, wanted in (("none.json", "cannot read"), ("empty.json", "is not JSON")):
        (tmp_path / "empty.json").write_text("")
        outcome = CliRunner().invoke(app, ["audit", "bptt", "--problems", str(tmp_path / name)])
        assert outcome.exit_code == 2 and wanted in outcome.output, outcome.output
    path = gradcheck.save_problems(problem(network=Network("relu")), tmp_path / "relu.json")
    arguments = ["audit", "bptt", "--network", "tanh", "--problems", str(path)]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 2 and "problem 1 is on the network" in outcome.output, outcome.output
