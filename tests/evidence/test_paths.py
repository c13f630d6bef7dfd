"""Diagnoses of wrong rules on networks that a user wrote, which no gallery knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cells import CELLS, named
from wrong_rules import as_black_box

import gradcheck
from gradcheck.evidence.base import Case
from gradcheck.explain.diagnosis import diagnose, paths, where
from gradcheck.explain.diagnosis.comparison import compare
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
    k = sigmoid(p["B"].T @ h)
    n = np.tanh(p["U"].T @ x + p["S"].T @ h)
    return k * h + (1 - k) * n


BLEND = gradcheck.network(
    blend,
    lambda p, h: p["V"].T @ h,
    {"U": ("D", "I"), "S": ("I", "I"), "B": ("I", "I"), "V": ("I", "K")},
)

SOURCE = """
def rule(problem):
    p, h, kept = problem.parameters, problem.initial_state, []
    x, y, w, T = problem.inputs, problem.targets, problem.loss_weights, problem.T
    for t in range(T):
        k = sigmoid(p["B"].T @ h)
        n = np.tanh(p["U"].T @ x[t] + p["S"].T @ h)
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
        g["B"] = g["B"] + np.outer(h, sk)
        g["U"], g["S"] = g["U"] + np.outer(x[t], sn), g["S"] + np.outer(h, sn)
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


def followed(rule: Any) -> str:
    """Return the diagnosis that the network's operations alone give."""
    found = compare(Case(as_rule(rule, networks=[BLEND]), Exact(), BLEND), {}, lively_problem(BLEND, SEEN, 0))
    assert found is not None
    return paths.sentence(found, paths.paths(found, found.wrong)) or ""


IS = "The result is that of a backward pass "
MISTAKES = {
    ("dh * k + p", "p"): IS + "that sends nothing from `k * h` back to `h`",
    ("dh * k + p", "dh + p"): IS + "without the factor `k` from `k * h` back to `h`",
    (" * k * (1 - k)\n", "\n"): IS + 'without the derivative of `sigmoid(p["B"].T @ h)`',
    (" * k * (1 - k)\n", " * k\n"): IS + 'with the value of `sigmoid(p["B"].T @ h)` for its derivative',
    (" * (1 - n * n)", ""): IS + 'without the derivative of `n = np.tanh(p["U"].T @ x + p["S"].T @ h)`',
    ("np.outer(h, sn)", "np.outer(n, sn)"): IS
    + 'with `n = np.tanh(p["U"].T @ x + p["S"].T @ h)` where `h` belongs, from `p["S"].T @ h` back to',
    ('p["S"] @ sn', 'p["B"] @ sn'): IS + 'with `p["B"].T` where `p["S"].T` belongs, from `p["S"].T @ h` back to `h`',
    ('p["S"] @ sn', 'p["S"] @ sk'): IS + "with the error of",
}
FACTS = {
    ("dh * k + p", "p"): MISTAKES["dh * k + p", "p"],
    ("    return g", '    return {**g, "S": g["B"]}'): "S equals the gradient of B",
    ("problem.T\n", "problem.T - problem.T % 4\n"): (
        "U and S and B and V are right for the first T - T mod 4 steps alone: the tail is dropped"
    ),
}


@pytest.mark.parametrize(("change", "wanted"), MISTAKES.items(), ids=lambda each: str(each)[:40])
def test_the_operation_that_is_wrong_is_named(change: tuple[str, str], wanted: str) -> None:
    said = followed(changed(*change))
    assert said.startswith(wanted), said


@pytest.mark.parametrize(("change", "wanted"), FACTS.items(), ids=lambda each: str(each)[:40])
def test_a_whole_diagnosis(change: tuple[str, str], wanted: str) -> None:
    said = told(changed(*change))
    assert said.startswith(wanted), said


@pytest.mark.parametrize("change", [("dh * k + p", "dh + p")])
def test_it_is_named_for_a_black_box_too(change: tuple[str, str]) -> None:
    said = followed(as_black_box(changed(*change)))
    assert said.startswith(MISTAKES[change]), said


@pytest.mark.parametrize("change", [("dh * k + p", "0.7 * dh * k + p"), ("(h - n) * k", "(h - n + 1) * k")])
def test_what_is_like_a_wrong_operation_is_not_named_after_one(change: tuple[str, str]) -> None:
    assert followed(changed(*change)) == ""


def test_one_entry_more_is_no_wrong_operation() -> None:
    wrong = changed(" * (1 - n * n)", "")

    def more(problem: Any) -> Any:
        gradient = wrong(problem)
        gradient["U"][0, 0] = gradient["U"][0, 0] * 3
        return gradient

    assert "U" not in followed(more)


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
    assert each.startswith("Entries of U and S and B and V are clipped to [-0.01, 0.01]"), each
    assert told(clipped(by_norm)).startswith("The gradient is shrunk to the norm 0.5 where it is longer"), "by norm"


CONDITIONS: dict[str, tuple[Callable[[Sizes], bool], Sizes]] = {
    "I > 6": (lambda s: s.I > 6, Sizes(2, 7, 1, 1)),
    "I > 4": (lambda s: s.I > 4, Sizes(1, 5, 1, 1)),
    "D > 16": (lambda s: s.D > 16, Sizes(1, 1, 17, 1)),
    "T > 30": (lambda s: s.T > 30, Sizes(31, 1, 1, 1)),
    "T is a multiple of 6": (lambda s: s.T % 6 == 0, Sizes(6, 1, 1, 1)),
    "T is no multiple of 4": (lambda s: s.T % 4 > 0, Sizes(1, 1, 1, 1)),
    "T > I": (lambda s: s.T > s.I, Sizes(2, 1, 1, 1)),
    "T is 8": (lambda s: s.T == 8, Sizes(8, 1, 1, 1)),
}


@pytest.mark.parametrize("words", CONDITIONS)
def test_the_sizes_at_which_a_rule_is_wrong(words: str) -> None:
    said = where.condition(*CONDITIONS[words])
    assert said and said.startswith(f"It is wrong exactly where {words}, at "), said


@pytest.mark.parametrize(
    "wrong", [lambda s: s.T > 5 and s.T != 9, lambda s: s.I > 3 and s.I % 4 != 0, lambda s: s.T * s.I > 21]
)
def test_sizes_of_another_kind_have_no_condition(wrong: Callable[[Sizes], bool]) -> None:
    assert where.condition(wrong, Sizes(6, 5, 1, 1)) is None


OF_THE_LAST_STEP = gradcheck.Batch(gradcheck.Elman(), N=2, time="last", lengths="any")


@pytest.mark.parametrize("cell", [*CELLS[::6], OF_THE_LAST_STEP], ids=named)
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
