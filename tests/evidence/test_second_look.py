"""Second looks: right rules that round norm-wise, or take another slope at a kink, and the wrong rules beside them."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import numpy as np
import pytest
from wrong_rules import as_black_box, made

from gradcheck.evidence.base import Case, Finding
from gradcheck.evidence.exact.ladder import Ladder
from gradcheck.evidence.floats import comparison, second_look
from gradcheck.evidence.floats.blackbox import BlackBox
from gradcheck.evidence.floats.lagwise import Lagwise
from gradcheck.explain.violation import Trial, violation
from gradcheck.judge.conclude import Gathered, conclude
from gradcheck.problems.lively import branching_problems, lively_problem
from gradcheck.records import Evidence, Rounding, Status, Strength
from gradcheck.reference.claims import ENTRYWISE, Exact, Truncated, parse_claim
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import Network, Sizes
from gradcheck.reference.problem import Problem
from gradcheck.rules.adapt import as_rule
from gradcheck.store.codec import to_data
from gradcheck.store.data import LAG_CLAIMS, claim_as_data, claim_from

FEW = (Sizes(9, 4, 2, 2), Sizes(3, 3, 3, 2))
STRICT = Exact(rounding=ENTRYWISE)
RIGHT = as_black_box(made("plain BPTT"))


def rotated(problem: Problem, *, drop: int = 10**9) -> dict[str, Any]:
    """RTRL that keeps the influence of W and R in a rotated basis; contributions from `drop` steps ago are left out."""
    W, R, V = (np.array(problem.parameters[name], dtype=float) for name in "WRV")
    (D, I), a = W.shape, np.array(problem.initial_state, dtype=float)
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(I, I)))[0]
    recent: list[Any] = []
    g, gV = np.zeros((D + I) * I), np.zeros(V.shape)
    for x, y in zip(problem.inputs, problem.targets, strict=True):
        z = np.concatenate([x, a])
        a = np.tanh(W.T @ x + R.T @ a)
        slope = 1 - a * a
        recent = [Q @ (slope[:, None] * R.T) @ Q.T @ each for each in recent][-drop + 1 :]
        recent.append(Q @ (slope[:, None] * np.kron(z, np.eye(I))))
        e = V.T @ a - y
        g, gV = g + (Q @ (V @ e)) @ sum(recent), gV + np.outer(a, e)
    return {"W": g.reshape(D + I, I)[:D], "R": g.reshape(D + I, I)[D:], "V": gV}


def case_of(rule: Any, claim: Any = None, network: Any = None) -> Case:
    claim = claim or Exact()
    return Case(as_rule(rule, claims=[claim]), claim, network or Network())


def unread(network: Any = None) -> Problem:
    """A problem with a unit that nobody reads, so that some entries are 0."""
    base = lively_problem(network or Network(), Sizes(4, 3, 2, 2), 0)
    rows = np.array([[1.0], [0.0], [1.0]])
    return base.replace(parameters={n: a if n == "W" else a * rows for n, a in base.parameters.items()})


def test_a_rule_in_a_rotated_basis_holds_norm_wise() -> None:
    seen, *_, allowed = comparison.compare_on(as_rule(rotated), Exact(), unread(), {})
    assert seen.outside is None and seen.rounding is Rounding.NORMWISE
    assert allowed["W"].min() == allowed["R"].max() > 0, "one allowance for all that was mixed"
    found = BlackBox(sizes=FEW, branching=False).gather(case_of(rotated)).evidence
    assert found.status is Status.HOLDS and found.rounding is Rounding.ENTRYWISE, "no entry of a lively problem is 0"


def test_entrywise_rounding_can_be_asked_for() -> None:
    seen, *_ = comparison.compare_on(as_rule(rotated), STRICT, unread(), {})
    assert seen.outside is not None
    assert comparison.compare_on(as_rule(RIGHT), STRICT, unread(), {})[0].outside is None
    assert parse_claim(str(STRICT)) == STRICT and parse_claim("truncated(3, rounding=entrywise)") == Truncated(
        3, rounding="entrywise"
    )
    with pytest.raises(GradcheckError, match="rounding must be"):
        Exact(rounding="any")


@pytest.mark.parametrize("small", ["0.0", "v * (1 + 2.0**-30)", "v.astype('f4')"])
def test_small_errors_that_are_no_rounding_are_refuted(small: str) -> None:
    """They are within the norm-wise allowance, and do not change with the last bits of the problem."""
    space: dict[str, Any] = {"right": RIGHT, "np": np}
    change = f"np.where(abs(v) < 1e-13, {small}, v)"
    exec(f"def rule(problem): return {{k: {change} for k, v in right(problem).items()}}", space)
    base = lively_problem(Network(), Sizes(9, 4, 2, 2), 0)
    tiny = base.replace(inputs=base.inputs * np.where(np.arange(2) == 0, 2.0**-44, 1.0))
    allowed = comparison.known_normwise(Exact(), tiny, np.float64)
    got, right = space["rule"](tiny), RIGHT(tiny)
    assert all((abs(got[n] - right[n]) <= allowed[n]).all() for n in got), "the norm-wise allowance hides it"
    assert comparison.compare_on(as_rule(space["rule"]), Exact(), tiny, {})[0].outside is not None
    assert comparison.compare_on(as_rule(RIGHT), Exact(), tiny, {})[0].outside is None


def test_a_dropped_lag_shows_in_a_rotated_basis_too() -> None:
    found = Lagwise(Sizes(12, 3, 12, 2)).gather(case_of(lambda problem: rotated(problem, drop=6))).evidence
    assert found.status is Status.REFUTED and "exact to lag 5, absent beyond" in found.statement


def test_errors_drawn_anew_are_told_from_errors_that_stay() -> None:
    base, rng = lively_problem(Network(), Sizes(2, 2, 1, 1), 0), np.random.default_rng(0)
    allowed = {"W": np.full(200, 1e-20)}
    stays = second_look.Residual({"W": np.full(200, 1e-17)}, allowed)
    assert second_look.keeps_its_error(base, stays, lambda _: stays, np.float64) == ("W", (0,))

    def anew(_: Any = None) -> second_look.Residual:  # of three values each, as a sum that cancels has
        return second_look.Residual({"W": rng.integers(-1, 2, 200) * 1e-17}, allowed)

    assert second_look.keeps_its_error(base, anew(), anew, np.float64) is None


def test_digits_of_a_norm_wise_rule_fall_as_rounding_does() -> None:
    def turned(problem: Problem) -> dict[str, Any]:
        """The result turned by 3/5 and 4/5, and back, with a rounding in between."""
        g = made("plain BPTT")(problem)
        a, b = (np.concatenate([g["W"], g["R"]]).reshape(-1)[k::2] for k in range(2))
        p, q = (3 * a - 4 * b) / 5, (4 * a + 3 * b) / 5
        flat = np.stack([(3 * p + 4 * q) / 5, (3 * q - 4 * p) / 5], axis=1).reshape(-1)
        size = g["W"].size
        return {"W": flat[:size].reshape(g["W"].shape), "R": flat[size:].reshape(g["R"].shape), "V": g["V"]}

    size = Sizes(7, 4, 2, 2)
    found = Ladder(size, (50, 100)).gather(case_of(turned)).evidence
    assert found.status is Status.HOLDS
    shrunk = lambda problem: {n: a * (1 + 2.0**-52) for n, a in turned(problem).items()}  # noqa: E731
    assert Ladder(size, (50,)).gather(case_of(shrunk)).evidence.status is Status.REFUTED


# Kinks


class _Own:
    """A network of an author's own, with some step and loss."""

    def parameter_shapes(self, s: Sizes) -> Any:
        return {"W": (s.D, s.I), "R": (s.I, s.I), "V": (s.I, s.K)}

    def state_shape(self, s: Sizes) -> Any:
        return (s.I,)

    def sizes_of(self, p: Any, T: int) -> Sizes:
        return Sizes(T, p["R"].shape[0], p["W"].shape[0], p["V"].shape[1])

    def activation(self, s: Any) -> Any:
        return np.tanh(s)

    def step(self, p: Any, a: Any, x: Any) -> Any:
        return self.activation(p["W"].T @ x + p["R"].T @ a)

    def readout(self, p: Any, a: Any) -> Any:
        return p["V"].T @ a

    def output(self, u: Any) -> Any:
        return u

    def loss_value(self, u: Any, y: Any) -> Any:
        return ((u - y) ** 2).sum() / 2

    def output_error(self, u: Any, y: Any) -> Any:
        return u - y


@dataclasses.dataclass(frozen=True)
class Leaky(_Own):
    name = "leaky"

    def activation(self, s: Any) -> Any:
        return np.where(s >= 0, s, s / 8)


@dataclasses.dataclass(frozen=True)
class Folded(_Own):
    name = "folded"

    def activation(self, s: Any) -> Any:
        return np.abs(s)


@dataclasses.dataclass(frozen=True)
class Absolute(_Own):
    name = "absolute error"

    def loss_value(self, u: Any, y: Any) -> Any:
        return np.abs(u - y).sum()

    def output_error(self, u: Any, y: Any) -> Any:
        return np.sign(u - y)


def bptt_with(slope: Any, error: Any = None) -> Any:
    """BPTT for a network of one's own, with its slope as a function of s."""

    def rule(problem: Problem) -> dict[str, Any]:
        net, (W, R, V) = problem.network, (problem.parameters[name] for name in "WRV")
        a, s = [problem.initial_state], []
        for x in problem.inputs:
            s.append(W.T @ x + R.T @ a[-1])
            a.append(net.activation(s[-1]))
        g, d = {n: 0 * p for n, p in problem.parameters.items()}, 0 * a[0]
        for t in reversed(range(problem.T)):
            e = (error or net.output_error)(V.T @ a[t + 1], problem.targets[t])
            d = slope(s[t]) * (V @ e + R @ d)
            g["W"] = g["W"] + np.outer(problem.inputs[t], d)
            g["R"] = g["R"] + np.outer(a[t], d)
            g["V"] = g["V"] + np.outer(a[t + 1], e)
        return g

    return rule


KINKED = {
    "leaky": (Leaky(), lambda s: np.where(s > 0, 1.0, 0.125), lambda s: np.where(s > 0, 1.0, 0.25)),
    "relu": (Network("relu"), lambda s: np.where(s >= 0, 1.0, 0.0), lambda s: np.where(s >= 0, 1.0, 0.5)),
    "folded": (Folded(), lambda s: np.where(s >= 0, 1.0, -1.0), lambda s: np.where(s >= 0, 1.0, 1.0)),
}


@pytest.mark.parametrize("name", KINKED)
def test_another_slope_at_a_kink_is_right_and_another_slope_beside_it_is_wrong(name: str) -> None:
    network, slope, wrong = KINKED[name]
    problem = branching_problems(network, 0)["a unit without weights"]
    assert second_look.at_a_kink(problem)
    seen, *_ = comparison.compare_on(as_rule(bptt_with(slope)), Exact(), problem, {})
    assert seen.outside is None and seen.kink is not None
    assert violation(case_of(bptt_with(slope), None, network), Trial(problem, {}), floats=True) is None
    seen, *_ = comparison.compare_on(as_rule(bptt_with(wrong)), Exact(), problem, {})
    assert seen.outside is not None and seen.kink is not None, "a witness beside the kink"
    assert not second_look.at_a_kink(seen.kink)
    undefined = bptt_with(lambda s: slope(s) * np.where(s == 0, np.nan, 1.0))
    assert comparison.compare_on(as_rule(undefined), Exact(), problem, {})[0].outside is not None


def test_evidence_says_that_a_problem_lies_at_a_kink() -> None:
    network, slope, _ = KINKED["relu"]
    found = BlackBox(sizes=FEW[1:]).gather(case_of(bptt_with(slope), None, network)).evidence
    assert found.status is Status.HOLDS and found.details["at_kinks"] and "at a kink" in found.statement


def test_a_rule_that_is_wrong_at_zeros_of_a_smooth_network_is_refuted() -> None:
    problem = branching_problems(_Tanh(), 0)["a unit without weights"]
    assert not second_look.at_a_kink(problem)
    right, wrong = (bptt_with(lambda s, at=at: np.where(s == 0, at, 1 - np.tanh(s) ** 2)) for at in (1.0, 0.5))
    assert comparison.compare_on(as_rule(right), Exact(), problem, {})[0].outside is None
    assert comparison.compare_on(as_rule(wrong), Exact(), problem, {})[0].outside is not None


@dataclasses.dataclass(frozen=True)
class _Tanh(_Own):
    name = "tanh of one's own"


def test_a_comparison_at_equality_is_no_kink_where_the_function_is_smooth() -> None:
    @dataclasses.dataclass(frozen=True)
    class Smooth(_Own):
        name = "two ways to write tanh"

        def activation(self, s: Any) -> Any:
            return np.where(s >= 0, np.tanh(s), -np.tanh(-s))

    assert not second_look.at_a_kink(branching_problems(Smooth(), 0)["a unit without weights"])


def test_a_sign_that_rounding_flips_is_no_error() -> None:
    """Targets that are the outputs, to the last bit or the one before: the slope of |u - y| is rounding's choice."""
    base = lively_problem(Absolute(), Sizes(3, 2, 2, 1), 0)
    a, targets = base.initial_state, []
    for x in base.inputs:
        a = base.network.step(base.parameters, a, x)
        targets.append(base.network.readout(base.parameters, a))
    slope = lambda s: 1 - np.tanh(s) ** 2  # noqa: E731
    for turn in (1, -1):
        rule = as_rule(bptt_with(slope, lambda u, y, turn=turn: np.where(abs(u - y) < 1e-12, turn, np.sign(u - y))))
        at = base.replace(targets=np.array(targets))
        seen, *_, allowed = comparison.compare_on(rule, Exact(), at, {})
        assert seen.outside is None and np.isinf(allowed["V"]).all()
        assert comparison.compare_on(rule, Exact(), base, {})[0].outside is None, "the targets are far from the outputs"
    wrong = as_rule(bptt_with(slope, lambda u, y: 0.5 * np.sign(u - y)))
    assert comparison.compare_on(wrong, Exact(), base, {})[0].outside is not None


def test_rounding_travels_in_fields_and_files() -> None:
    for claim in (STRICT, Exact(), Truncated(3, rounding=ENTRYWISE)):
        data = claim_as_data(claim)
        assert claim_from(msgspec.convert(data, LAG_CLAIMS[0] | LAG_CLAIMS[1])) == claim
        assert ("rounding" in data) is (claim.rounding == ENTRYWISE)
    verdict = conclude(Exact(), [Gathered(Network(), (Finding(SHOWN),))])
    assert verdict.rounding is Rounding.NORMWISE and to_data(verdict)["rounding"] == "NORMWISE"
    assert conclude(Exact(), [Gathered(Network(), (Finding(PROVED),))]).rounding is None
    both = conclude(Exact(), [Gathered(Network(), (Finding(PROVED), Finding(SHOWN)))])
    assert both.strength is Strength.PROVED and both.statement.endswith("on floats norm-wise, not entry-wise")


SHOWN = Evidence("float64", Status.HOLDS, Strength.SUPPORTED, "within rounding", rounding=Rounding.NORMWISE)
PROVED = Evidence("formal", Status.HOLDS, Strength.PROVED, "equal as polynomials")
