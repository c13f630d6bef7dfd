"""What a diagnosis says of wrong rules on networks that a user wrote, which no gallery knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cells import CELLS, named
from wrong_rules import as_black_box

import gradcheck
from gradcheck.evidence.base import Case
from gradcheck.explain.diagnosis import diagnose
from gradcheck.explain.diagnosis.prototype import prototype
from gradcheck.explain.diagnosis.recorded import recorded
from gradcheck.explain.diagnosis.variants import variants
from gradcheck.problems.lively import lively_problem
from gradcheck.reference import lags
from gradcheck.reference.claims import Exact
from gradcheck.reference.network import Sizes
from gradcheck.rules.adapt import as_rule

SEEN = Sizes(3, 2, 1, 1)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def blend(p: Any, h: Any, x: Any) -> Any:
    k = sigmoid(p["A"].T @ x + p["B"].T @ h)
    n = np.tanh(p["U"].T @ x + p["S"].T @ h + p["b"])
    return k * h + (1 - k) * n


BLEND = gradcheck.network(
    blend,
    lambda p, h: p["V"].T @ h,
    {"A": ("D", "I"), "B": ("I", "I"), "U": ("D", "I"), "S": ("I", "I"), "b": ("I",), "V": ("I", "K")},
)

SOURCE = """
def rule(problem):
    p, h, kept = problem.parameters, problem.initial_state, []
    x, y, w, T = problem.inputs, problem.targets, problem.loss_weights, problem.T
    for t in range(T):
        k = sigmoid(p["A"].T @ x[t] + p["B"].T @ h)
        n = np.tanh(p["U"].T @ x[t] + p["S"].T @ h + p["b"])
        kept.append((h, k, n, k * h + (1 - k) * n))
        h = kept[-1][-1]
    g = {name: np.zeros_like(array) for name, array in p.items()}
    dh = np.zeros_like(h)
    for t in reversed(range(T)):
        h, k, n, new = kept[t]
        e = w[t] * (p["V"].T @ new - y[t])
        g["V"] = g["V"] + np.outer(new, e)
        dh = dh + p["V"] @ e
        sk = dh * (h - n) * k * (1 - k)
        sn = dh * (1 - k) * (1 - n * n)
        g["A"], g["B"] = g["A"] + np.outer(x[t], sk), g["B"] + np.outer(h, sk)
        g["U"], g["S"] = g["U"] + np.outer(x[t], sn), g["S"] + np.outer(h, sn)
        g["b"] = g["b"] + sn
        dh = dh * k + p["B"] @ sk + p["S"] @ sn
    return g
"""


def changed(old: str = "", new: str = "") -> Any:
    """Backpropagation through `blend` by hand, with one replacement."""
    assert SOURCE.count(old) == 1 or not old, old
    space: dict[str, Any] = {"np": np, "sigmoid": sigmoid}
    exec(SOURCE.replace(old, new) if old else SOURCE, space)
    return space["rule"]


def told(rule: Any, network: Any = BLEND, seen: Sizes = SEEN, weighted: bool = False) -> str:
    case = Case(as_rule(gradcheck.rule(Exact(), networks=[network], weighted=weighted)(rule)), Exact(), network)
    return diagnose(case, {}, lively_problem(network, seen, 0, weighted=weighted)) or ""


IS = "The result is that of a backward pass "
MISTAKES = {
    ("dh * k + p", "p"): IS + "that sends nothing from `k * h` back to `h`",
    ("dh * k + p", "dh + p"): IS + "without the factor `k` from `k * h` back to `h`",
    (" * k * (1 - k)\n", "\n"): IS + 'without the derivative of `sigmoid(p["A"].T @ x + p["B"].T @ h)`',
    (" * k * (1 - k)\n", " * k\n"): IS + 'with the value of `sigmoid(p["A"].T @ x + p["B"].T @ h)` for its derivative',
    ("(h - n) * k", "(n - h) * k"): IS
    + 'in which the derivative of `sigmoid(p["A"].T @ x + p["B"].T @ h)` has the wrong sign',
    (" * (1 - n * n)", ""): IS + 'without the derivative of `n = np.tanh(p["U"].T @ x + p["S"].T @ h + p["b"])`',
    ("dh * (h - n)", "dh * h"): IS + "that sends nothing from `(1 - k) * n` back to `1 - k`",
    ("np.outer(h, sn)", "np.outer(n, sn)"): IS
    + 'with `n = np.tanh(p["U"].T @ x + p["S"].T @ h + p["b"])` where `h` belongs, from `p["S"].T @ h` back to',
    ('p["S"] @ sn', 'p["B"] @ sn'): IS + 'with `p["B"].T` where `p["S"].T` belongs, from `p["S"].T @ h` back to `h`',
    ('p["S"] @ sn', 'p["S"] @ sk'): IS + "with the error of",
    ("    return g", '    return {**g, "S": g["B"]}'): "S equals the gradient of B",
    ("    return g", '    return {**g, "B": g["S"].T}'): "B equals the transpose of the gradient of S",
    ("problem.T\n", "problem.T - problem.T % 4\n"): (
        "A and B and U and S and b and V are right for the first T - T mod 4 steps alone: the tail is dropped"
    ),
}


@pytest.mark.parametrize(("change", "wanted"), MISTAKES.items(), ids=lambda each: str(each)[:40])
def test_the_operation_that_is_wrong_is_named(change: tuple[str, str], wanted: str) -> None:
    said = told(changed(*change))
    assert said.startswith(wanted), said


@pytest.mark.parametrize("change", [("dh * k + p", "dh + p"), (" * k * (1 - k)\n", "\n")])
def test_it_is_named_for_a_black_box_too(change: tuple[str, str]) -> None:
    said = told(as_black_box(changed(*change)))
    assert said.startswith(MISTAKES[change]), said


@pytest.mark.parametrize("change", [("dh * k + p", "0.5 * dh * k + p"), ("(h - n) * k", "(h - n + 1) * k")])
def test_what_is_like_a_wrong_operation_is_not_named_after_one(change: tuple[str, str]) -> None:
    assert "backward pass" not in told(changed(*change))


def test_one_entry_more_is_no_wrong_operation() -> None:
    wrong = changed(" * (1 - n * n)", "")

    def more(problem: Any) -> Any:
        gradient = wrong(problem)
        gradient["A"][0, 0] = gradient["A"][0, 0] * 3
        return gradient

    said = told(more)
    assert said.startswith("It is wrong in A in "), said


def test_a_right_rule_has_no_diagnosis() -> None:
    assert told(changed()) == ""


def test_loss_weights_that_are_ignored() -> None:
    assert "V are right for a loss weight of 1 at every step" in told(changed("w[t] * (", "("), weighted=True)


def clipped(by: Callable[[Any], Any]) -> Any:
    right = changed()
    return lambda problem: by(right(problem))


def by_norm(gradient: Any) -> Any:
    norm = np.sqrt(sum((array**2).sum() for array in gradient.values()))
    return {name: array * 0.5 / norm if norm > 0.5 else array for name, array in gradient.items()}


def test_clipping_is_seen_on_any_network() -> None:
    each = told(clipped(lambda g: {name: np.clip(array, -0.01, 0.01) for name, array in g.items()}))
    assert each.startswith("Entries of A and B and U and S and b and V are clipped to [-0.01, 0.01]"), each
    assert told(clipped(by_norm)).startswith("The gradient is shrunk to the norm 0.5 where it is longer"), "by norm"


def test_what_is_halved_beyond_a_limit_is_not_clipped() -> None:
    halved = told(clipped(lambda g: {name: np.where(abs(a) > 0.01, a / 2, a) for name, a in g.items()}))
    assert "clipped" not in halved and "shrunk" not in halved, halved


@pytest.mark.parametrize(
    ("at", "size", "wanted"),
    [
        ("problem.sizes.I > 6", Sizes(2, 7, 1, 1), "exactly where I > 6, at"),
        ("problem.T > 9", Sizes(10, 1, 1, 1), "exactly where T > 9, at"),
        ("problem.T % 7 == 0", Sizes(7, 1, 1, 1), "exactly where T is a multiple of 7, at"),
    ],
)
def test_the_size_beyond_which_a_rule_is_wrong(at: str, size: Sizes, wanted: str) -> None:
    said = told(changed("    return g", f'    return {{**g, "b": 3 * g["b"] + g["b"] ** 2}} if {at} else g'), seen=size)
    assert wanted in said, said


@pytest.mark.parametrize("cell", CELLS[::3], ids=named)
def test_a_pass_without_a_change_is_the_gradient(cell: Any) -> None:
    problem = lively_problem(cell, Sizes(3, 3, 2, 2), 0)
    right, passed = lags.gradient(problem), recorded(problem).gradient({})
    for name, array in right.items():
        np.testing.assert_allclose(passed[name], array, rtol=1e-9, atol=1e-12)


def test_each_variant_runs_and_changes_what_it_reaches_alone() -> None:
    made = prototype(lively_problem(BLEND, Sizes(3, 4, 3, 2), 0))
    right, different, texts = made.record.gradient({}), 0, set()
    for variant in variants(made):
        result = made.record.gradient(variant.change)
        for name in set(right) - variant.reach:
            np.testing.assert_array_equal(result[name], right[name], err_msg=f"{variant.text} changes {name}")
        different += any(not np.allclose(result[name], right[name]) for name in variant.reach)
        texts.add(variant.text)
    assert different > 100 and len(texts) > 100, f"{different} variants differ; {len(texts)} texts"


def test_a_network_without_source_has_words_too() -> None:
    space: dict[str, Any] = {"np": np}
    exec("def step(p, h, x): return np.tanh(p['W'].T @ x + p['R'].T @ h)", space)
    network = gradcheck.network(
        space["step"], lambda p, h: p["V"].T @ h, {"W": ("D", "I"), "R": ("I", "I"), "V": ("I", "K")}
    )
    made = prototype(lively_problem(network, Sizes(3, 4, 3, 2), 0))
    assert any("a result of np.matmul" in variant.text for variant in variants(made))
