"""What an audit concludes from its evidence: no more than the weakest network shows, and nothing from a lone scalar."""

from typing import Any

import numpy as np
import pytest
import wrong_rules

from gradcheck import Exact, Network, audit, rule
from gradcheck.algorithms import bptt
from gradcheck.records import Cause, Status, Strength
from gradcheck.reference.network import DEFAULT_NETWORK
from gradcheck.reference.scalars.rational import RationalField
from gradcheck.rules.adapt import as_rule

RIGHT = wrong_rules.made("right")


class Contradictory(Network):
    """A network whose output error is not the derivative of its loss."""

    def output_error(self, u, y):
        return 2 * super().output_error(u, y)


def _exact(report):
    return next(v for v in report.verdicts if v.claim == "exact")


@pytest.mark.parametrize("networks", [[Contradictory()], [DEFAULT_NETWORK, Contradictory()]], ids=["first", "second"])
def test_oracles_that_disagree_on_any_network_stop_the_audit(networks):
    report = audit(RIGHT, claims=[Exact()], networks=networks, effort="quick")
    assert _exact(report).status is Status.NOT_RUN, _exact(report).statement
    assert "output_error(u, y) of the network" in _exact(report).statement, _exact(report).statement
    stage = next(s for s in report.stages if s.name == "oracle agreement")
    assert stage.status is Status.REFUTED, stage


def test_an_operation_that_balls_carry_out_differently_refutes_nothing(monkeypatch, brief, short_search):
    """A planted fault of our own: np.dot forgets its `out` on balls, so a right rule's buffer stays 0 there."""
    from gradcheck.reference.scalars import base

    @rule(Exact())
    def buffered(problem):
        found = RIGHT(problem)
        out = np.zeros_like(found["V"])
        np.dot(found["V"], np.diag(np.ones_like(out, shape=(out.shape[1],))), out=out)
        return {**found, "V": out}

    assert _exact(audit(buffered, effort="quick")).strength is Strength.PROVED
    monkeypatch.setattr(base, "_dot", lambda field, func, a, b, out=None: np.matmul(a, b))
    verdict = _exact(audit(buffered, effort="quick"))
    assert verdict.status is not Status.REFUTED, f"a right rule was refuted: {verdict.statement}"


def test_dot_writes_where_it_is_told():
    field = RationalField()
    a, b = field.lift(np.array([[1.0, 2.0], [3.0, 4.0]])), field.lift(np.array([5.0, 6.0]))
    for call in (lambda out: np.dot(a, b, out=out), lambda out: a.dot(b, out=out), lambda out: np.dot(a, b, out)):
        out = np.zeros_like(b)
        assert call(out) is out
        assert [str(v.value) for v in out] == ["17", "39"], f"np.dot left {out} in its out"


def test_residues_copied_into_floats_unseen_earn_nothing():
    @rule(Exact())
    def copies(problem):
        return RIGHT(problem.map(lambda array: np.asarray(array, dtype=float)))

    verdict = _exact(audit(copies, effort="quick"))
    assert verdict.strength is Strength.SUPPORTED, f"judged {verdict.word}, though its numbers left every field"


def test_a_claim_is_as_strong_as_on_the_network_that_shows_it_least(brief):
    def by_name(problem):
        cast = problem.network.activation.name == "relu"
        taken = problem.map(lambda array: np.array([float(v) for v in array.reshape(-1)]).reshape(array.shape))
        return general(taken if cast else problem)

    def general(problem):
        net = problem.network
        W, R, V = (problem.parameters[name] for name in "WRV")
        a, s = [problem.initial_state], []
        for x in problem.inputs:
            s.append(W.T @ x + R.T @ a[-1])
            a.append(net.activation(s[-1]))
        dW, dR, dV, delta = np.zeros_like(W), np.zeros_like(R), np.zeros_like(V), np.zeros_like(a[0])
        for t in range(len(s), 0, -1):
            e = net.output_error(V.T @ a[t], problem.targets[t - 1])
            delta = (V @ e + R @ delta) * net.activation.derivative(s[t - 1])
            dW, dR = dW + np.outer(problem.inputs[t - 1], delta), dR + np.outer(a[t - 1], delta)
            dV = dV + np.outer(a[t], e)
        return {"W": dW, "R": dR, "V": dV}

    networks = [Network("tanh"), Network("relu")]
    assert _exact(audit(general, claims=[Exact()], networks=networks, effort="quick")).strength is Strength.PROVED
    # relu's path is seen by floats alone, so nothing stronger may be said of the two together.
    narrow = as_rule(by_name, claims=[Exact()], networks=[networks[1]])
    assert _exact(audit(narrow, effort="quick")).strength is Strength.SUPPORTED


@rule(Exact())
def raises_there(problem: Any) -> Any:
    if problem.network == Network("logistic"):
        raise ValueError("no such cell")
    return bptt(problem)


@pytest.mark.parametrize("networks", [(Network(), Network("logistic")), (Network("logistic"),)], ids=len)
def test_a_failure_names_the_network_that_it_is_on(networks: Any) -> None:
    report = audit(raises_there, networks=networks, effort="quick")
    said = " ".join(verdict.statement for verdict in report.verdicts)
    assert "raised ValueError: no such cell (at T=" in said and ", on fully recurrent: logistic, identity" in said, said


def filling(problem):
    """The gradient, cast to floats."""
    filled = {}
    for name, array in bptt(problem).items():
        filled[name] = np.array(array, dtype=float)
    return filled


def test_a_rule_that_makes_floats_of_its_numbers_is_told_how_to_be_proved(brief):
    def noted(target):
        report = audit(target, [Exact()], effort="quick", isolated=False)
        formal = next(e for e in _exact(report).evidence if e.kind == "formal")
        return _exact(report).strength, formal.cause, sum("np.zeros_like" in note for note in report.notes)

    assert noted(filling) == (Strength.SUPPORTED, Cause.FLOATS_ONLY, 1)
    assert noted(RIGHT) == (Strength.PROVED, None, 0)
