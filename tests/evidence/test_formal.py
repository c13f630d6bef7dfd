"""The formal evidence's own conduct: which family may speak against a rule, clean rings, limited time."""

import numpy as np

from gradcheck import Exact, audit, rule
from gradcheck.evidence.base import Case
from gradcheck.evidence.budget import Budget
from gradcheck.evidence.exact import formal
from gradcheck.records import Cause, Status, Strength
from gradcheck.reference.network import DEFAULT_NETWORK, Network
from gradcheck.reference.networks.base import Capabilities
from gradcheck.rules.adapt import as_rule

SMALL = {"largest_T": 2, "shapes": [(1, 1, 1), (2, 1, 1)]}


def plain(problem, *, slope=lambda s: 1 - np.tanh(s) ** 2, scale=1):
    """BPTT for tanh, identity output and squared error, all hard-coded."""
    W, R, V = (problem.parameters[name] for name in "WRV")
    a, s = [problem.initial_state], []
    for x in problem.inputs:
        s.append(W.T @ x + R.T @ a[-1])
        a.append(np.tanh(s[-1]))
    dW, dR, dV = np.zeros_like(W), np.zeros_like(R), np.zeros_like(V)
    delta = np.zeros_like(a[0])
    for t in range(len(s), 0, -1):
        e = V.T @ a[t] - problem.targets[t - 1]
        delta = (V @ e + R @ delta) * slope(s[t - 1])
        dW, dR, dV = dW + np.outer(problem.inputs[t - 1], delta), dR + np.outer(a[t - 1], delta), dV + np.outer(a[t], e)
    return {"W": scale * dW, "R": dR, "V": dV}


def _judge(function, network=DEFAULT_NETWORK, **how):
    progress = how.pop("progress", lambda _: None)
    return formal.Formal(**{**SMALL, **how}).gather(Case(as_rule(function), Exact(), network), progress)


def test_a_wider_family_than_promised_never_speaks_against_a_rule():
    """tanh is hard-coded, so f undefined refutes it; and on the network itself the rule refuses polynomials."""

    def refuses_at_two_units(problem):
        if len(problem.initial_state) == 2:
            float(problem.inputs[0, 0])
        return plain(problem)

    assert _judge(plain).evidence.strength is Strength.PROVED
    seen = _judge(refuses_at_two_units)
    assert seen.evidence.status is Status.NOT_RUN, seen.evidence.statement
    assert seen.evidence.cause is Cause.FLOATS_ONLY


def test_twin_the_network_itself_does_speak_against_it():
    assert _judge(lambda problem: plain(problem, scale=2)).evidence.status is Status.REFUTED
    logistic = _judge(plain, Network("logistic"))
    assert logistic.evidence.status is Status.NOT_RUN, "tanh hard-coded, logistic promised: balls must decide"
    assert "do not know all their laws" in logistic.evidence.statement, logistic.evidence.statement


class Whole(Network):
    """A network whose text is a sentence of its own."""

    def __str__(self) -> str:
        return f"my network on {self.activation.name}"


class Wrapped(Capabilities):
    """A network without an activation and a head of its own, which can leave its functions undefined."""

    name = "wrapped"

    def undefined(self, *, head=True):
        return Network().undefined(head=head)


def test_families_are_named_by_the_fields_of_a_network():
    assert [text for text, _ in formal.families(Whole("tanh"))] == [
        text for text, _ in formal.families(Network("tanh"))
    ]
    texts = [text for text, _ in formal.families(Wrapped())]
    assert texts[1:] == ["every differentiable activation, with the output and loss of wrapped", "the network wrapped"]


def test_a_rule_leaves_no_generators_behind_for_the_next():
    def prolific(problem):
        for n in range(40):
            np.tanh(problem.inputs * (n + 2))
        return plain(problem)

    for _ in range(12):
        _judge(prolific)
    assert _judge(plain).evidence.strength is Strength.PROVED, "a ring was used up by the rules before"


def test_a_network_that_takes_too_long_is_proved_as_far_as_time_allows():
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    clock = Clock()

    def ticking(text):
        clock.now += 20.0 if "T=2, I=2" in text else 1.0

    seen = _judge(plain, budget=Budget(60, clock), progress=ticking, largest_T=3)
    assert seen.evidence.status is Status.HOLDS, seen.evidence.statement
    assert "T <= 2 at (I, D, K) = (2, 1, 1)" in seen.evidence.scope, seen.evidence.scope
    assert "takes too long here" in seen.evidence.scope


def test_rounded_constants_leave_a_right_rule_supported_with_the_reason():
    @rule(Exact())
    def mixed(problem):
        return {name: 0.9 * array + 0.1 * array for name, array in plain(problem).items()}

    verdict = audit(mixed, effort="quick").verdicts[-1]
    assert verdict.status is Status.HOLDS and verdict.strength is Strength.SUPPORTED, verdict.statement
    assert "as rounded constants do" in verdict.statement


def test_twin_a_constant_off_by_more_is_refuted():
    @rule(Exact())
    def mixed(problem):
        return {name: 0.9 * array + 0.1000000001 * array for name, array in plain(problem).items()}

    verdict = audit(mixed, effort="quick").verdicts[-1]
    assert verdict.status is Status.REFUTED, verdict.statement


def test_a_wrong_rule_that_fails_on_balls_is_refuted_on_floats():
    @rule(Exact())
    def picky(problem):
        if problem.inputs.dtype == object:
            raise ValueError("floats only")
        return plain(problem, scale=1 + 2.0**-20)

    verdict = audit(picky, effort="quick").verdicts[-1]
    assert verdict.status is Status.REFUTED, verdict.statement
    assert verdict.counterexample is not None


def test_sizes_reached_up_to_the_same_length_are_said_once():
    reached = {(1, 1, 1): 4, (1, 1, 2): 4, (2, 2, 2): 2, (1, 2, 1): 4}
    text = formal._reached_text(reached, [*reached, (3, 1, 1)], 4)
    wanted = "T <= 4 at (I, D, K) = (1, 1, 1), (1, 1, 2), (1, 2, 1); T <= 2 at (I, D, K) = (2, 2, 2) (SymPy takes"
    assert text.startswith(wanted), text
