"""Verdicts on the lecture's sentences about RTRL and Schmidhuber's approach."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ...algorithms import RTRL, Schmidhuber, run_rule
from ...records import Strength, Verdict
from ...reference.claims import Chunked, Exact
from ...reference.network import Network, Sizes
from ...reference.networks.activations import ACTIVATIONS
from ...reference.scalars.ball import BallField
from .equations import BITS, DISTINCT, SQUARE, quantities, shown
from .sentences import (
    EVERY,
    RULE_SIZES,
    UNDEFINED,
    control,
    equation,
    gradients_equal,
    joined,
    judge_rule,
    nowhere_zero,
    proved,
    reference,
    same,
)


def during_forward(claim: str) -> Verdict:
    """Compare RTRL's contributions up to each step with the gradient of the losses so far."""
    ref, T = reference(), RULE_SIZES.T
    problem, rule = ref.problem(T), RTRL()
    state = rule.start(problem.network, problem.parameters, problem.initial_state)
    total: Any = None
    held = []
    for t in range(1, T + 1):
        state, step = rule.step(state, problem.inputs[t - 1], problem.targets[t - 1], problem.loss_weights[t - 1])
        total = step if total is None else {name: total[name] + step[name] for name in total}
        exact = ref.gradient(t, Exact())
        held += [ref.field.natives(total[name]) == list(exact[name].reshape(-1)) for name in exact]
    text = f"after each step t, what the shipped RTRL has contributed is the gradient of L_1 + ... + L_t, for {EVERY}"
    return proved(claim, all(held), text, f"every t; {RULE_SIZES}")


def _influences(sizes: Sizes) -> Iterable[tuple[int, Any, Any]]:
    """Yield (t, RTRL's state, the quantities) after each step."""
    q, rule = quantities(sizes), RTRL()
    state = rule.start(UNDEFINED, q.problem.parameters, q.problem.initial_state)
    for t in q.times:
        state, _ = rule.step(state, q.x[t], q.y[t], q.problem.loss_weights[t - 1])
        yield t, state, q


def tracked(claim: str) -> Verdict:
    """Compare RTRL's influence matrix with SymPy's derivative of every unit in every weight."""
    held = []
    for sizes in (DISTINCT, SQUARE):
        for t, state, q in _influences(sizes):
            both = np.concatenate([q.d("s", "W", t), q.d("s", "R", t)], axis=1)
            held.append(same(q.field, state.M.reshape(both.shape), both))
    text = (
        "the influence matrix of the shipped RTRL holds ds_n(t)/dw_dj and ds_n(t)/dr_ij for every n, d, i, j and t, "
        f"for {EVERY}"
    )
    return proved(claim, all(held), text, f"({DISTINCT}); ({SQUARE})")


def not_stored(claim: str) -> Verdict:
    """Count the numbers that RTRL carries from step to step."""
    sizes, rule = Sizes(12, 3, 2, 2), RTRL()
    rng = np.random.default_rng(0)
    shapes = Network().parameter_shapes(sizes)
    parameters = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    state = rule.start(Network(), parameters, np.zeros(sizes.I))
    counts = []
    for _step in range(sizes.T):
        state, _ = rule.step(state, rng.normal(size=sizes.D), np.zeros(sizes.K), 1.0)
        counts.append({name: getattr(state, name).size for name in ("a", "slope", "M")})
    each = counts[0]
    alone = set(state._fields) == {"network", "parameters", "a", "slope", "M"}
    text = (
        f"beside the parameters the shipped RTRL carries {sum(each.values())} numbers after every one of {sizes.T} "
        f"steps: a(t), f'(s(t)) and the {each['M']} derivatives; of earlier activations it keeps none"
    )
    return proved(claim, alone and all(c == each for c in counts), text, str(sizes), kind="counting")


def entries(claim: str) -> Verdict:
    """Count the entries of ds(t)/dR that are not identically zero, for three sizes."""
    counts = {}
    for units in (1, 2, 3):
        q = quantities(Sizes(2, units, 1, 1))
        counts[units] = [sum(p != 0 for p in q.field.natives(q.d("s", "R", t))) for t in q.times]
    right = all(counts[n] == [n**2, n**3] for n in counts)
    text = (
        "ds(t)/dR has I x I x I entries, and from t = 2 on none of them is identically zero "
        f"({', '.join(str(counts[n][1]) for n in counts)} of them at I = 1, 2, 3); at t = 1 only the I^2 with "
        "n = j are not"
    )
    return proved(claim, right, text, "T=2, I=1, 2, 3, D=1, K=1")


def depends(claim: str) -> Verdict:
    """Show that every pre-activation depends on the weights used before it."""
    held = []
    for sizes in (DISTINCT, SQUARE):
        q = quantities(sizes)
        held += [nowhere_zero(q.field, q.d("s", name, t)) for name in "WR" for t in q.times if t > 1]
        held += [not same(q.field, q.d("s", name, 1), q.d("s", name, 1) * 0) for name in "WR"]
    text = f"ds(t-1)/dW and ds(t-1)/dR are not 0 for t > 1, and from t = 3 on no entry of them is, for {EVERY}"
    return proved(claim, all(held), text, f"({DISTINCT}); ({SQUARE})")


def must_store(claim: str) -> Verdict:
    """Show that the recursion fails without the derivatives of the step before."""
    held = []
    for sizes in (DISTINCT, SQUARE):
        q, iverson = quantities(sizes), np.eye(sizes.I)
        for t in q.times:
            for name, inputs in (("W", q.x[t]), ("R", q.a[t - 1])):
                alone = iverson[:, None, :] * inputs[:, None]
                held.append(same(q.field, q.d("s", name, t), alone) == (t == 1))
    text = (
        "the recursion for step t+1 reads the derivatives of step t: without them only [n = j] times the input is "
        f"left, which is the derivative at t = 1 and never after, for {EVERY}"
    )
    return proved(claim, all(held), text, f"({DISTINCT}); ({SQUARE})")


def start_of_activations(claim: str) -> Verdict:
    """Judge s(0) = 0 and list the activations that agree with it and a(0) = 0 at once."""
    verdict, field = equation(claim, "start-s"), BallField(BITS)
    with field.working():
        values = {name: field.native(f(field.lift(np.zeros(1)))[0]) for name, f in ACTIVATIONS.items()}
        zero = [name for name, value in values.items() if value == 0]
        others = [f"{name} has f(0) = {shown(value, 6)}" for name, value in values.items() if not value.contains(0)]
    text = f"s(0) = 0 and a(0) = 0 agree for {', '.join(zero)}; {' and '.join(others)}"
    complete = len(zero) + len(others) == len(values)
    return joined(verdict, control("enclosure", complete, text, Strength.CERTIFIED))


def not_truncated(claim: str) -> Verdict:
    """Compare Schmidhuber's algorithm with SymPy's gradient, at every block length."""
    return judge_rule(claim, Schmidhuber, Exact())


def blocks(claim: str) -> Verdict:
    """Compare blocks of length I with the gradient, with and without the derivatives carried between them."""
    ref, sizes = reference(), RULE_SIZES
    result = run_rule(Schmidhuber, ref.problem(sizes.T), block=sizes.I)
    exact = ref.gradient(sizes.T, Exact())
    carried = all(ref.field.natives(result[name]) == list(exact[name].reshape(-1)) for name in exact)
    cut = gradients_equal(exact, ref.gradient(sizes.T, Chunked(sizes.I)))
    text = (
        "with blocks of length I, the last one shorter, backpropagation inside the blocks and the derivatives carried "
        f"between them add up to the gradient, for {EVERY}; without what is carried the result is the gradient cut at "
        "every I steps, another polynomial"
    )
    return proved(claim, carried and not cut, text, str(sizes))


ONLINE: dict[str, Callable[[str], Verdict]] = {
    "during-forward": during_forward,
    "tracked": tracked,
    "not-stored": not_stored,
    "entries": entries,
    "depends": depends,
    "must-store": must_store,
    "start-s": start_of_activations,
    "not-truncated": not_truncated,
    "blocks": blocks,
}
