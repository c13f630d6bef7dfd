"""The rules in examples/, as outsiders write them, audited for real."""

import importlib.util
from pathlib import Path

import pytest

from gradcheck import Exact, Sizes, audit
from gradcheck.evidence.base import Case
from gradcheck.evidence.exact.formal import Formal
from gradcheck.evidence.exact.modular import Modular
from gradcheck.records import Status, Strength
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.load import load_rule

EXAMPLES = Path(__file__).parents[2] / "examples"


def _audit(name):
    return audit(load_rule(f"{EXAMPLES / name.partition(':')[0]}:{name.partition(':')[2]}"), effort="quick")


def _exact(report):
    return next(v for v in report.verdicts if v.claim == "exact")


def test_the_classic_mistake_is_refuted_on_one_step_and_one_unit():
    verdict = _exact(_audit("hand_written.py:mistaken"))
    assert verdict.status is Status.REFUTED, f"a(t) for a(t-1) was judged {verdict.word}: {verdict.statement}"
    example = verdict.counterexample
    assert example.problem["sizes"] == {"T": 1, "I": 1, "D": 1, "K": 1}, f"not shrunk: {example.problem['sizes']}"
    assert example.entry == "R[0,0]", f"the mistake is in R; the counterexample shows {example.entry}"


def test_its_mend_is_proved():
    report = _audit("hand_written.py:mended")
    assert report.passed, str(report)
    assert _exact(report).strength is Strength.PROVED, f"the mend is generic, yet {_exact(report).word}"


@pytest.mark.parametrize(
    ("package", "name"),
    [
        pytest.param("torch", "torch_rnn.py:torch_rnn", marks=pytest.mark.torch),
        pytest.param("torch", "truncated_function.py:mended", marks=pytest.mark.torch),
        ("autograd", "autograd_package.py:autograd_rnn"),
    ],
)
def test_frameworks_hold_as_black_boxes(package, name):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is missing; pip install {package}")
    report = _audit(name)
    assert report.passed, str(report)
    verdict = _exact(report)
    assert verdict.strength is Strength.SUPPORTED, f"a framework's floats cannot be shown {verdict.word}"
    assert any(e.kind == "formal" and e.status is Status.NOT_RUN for e in verdict.evidence), (
        "the report must say why nothing stronger was shown"
    )


@pytest.mark.torch
def test_a_truncation_that_torch_accepts_is_refuted(short_search):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is missing; pip install torch")
    verdict = _exact(_audit("truncated_function.py:truncated"))
    assert verdict.status is Status.REFUTED, f"a truncation was judged {verdict.word}: {verdict.statement}"
    sizes = verdict.counterexample.problem["sizes"]
    assert sizes["T"] == 21, f"20 steps are carried back, so 21 are needed to see it; not shrunk: {sizes}"
    accepts = load_rule(f"{EXAMPLES}/truncated_function.py:accepted_by_torch")
    assert accepts(horizon=20), "torch.autograd.gradcheck refused what the example says that it accepts"
    assert not accepts(horizon=3), "torch.autograd.gradcheck accepts anything here"


KINDS = (Formal(largest_T=2, shapes=((1, 1, 1),)), Modular(sizes=(Sizes(5, 2, 1, 2),)))
MISTAKES = {
    "rnn": ("dh_next = self.Wh.T @ dz", "dh_next = self.Wh @ dz * 0.5"),
    "gru": ("dh * (h_prev - n) * z * (1 - z)", "dh * (h_prev - n) * z"),
    "lstm": ("(self.W.T @ da)[:H], dc * f", "(self.W.T @ da)[:H], dc"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_textbook_class_is_proved_as_it_is_and_refuted_with_a_mistake(name, tmp_path):
    source = (EXAMPLES / "textbook.py").read_text()
    right, wrong = MISTAKES[name]
    assert source.count(right) == 1
    broken = tmp_path / "broken_textbook.py"
    broken.write_text(source.replace(right, wrong))
    seen = {}
    for file in (EXAMPLES / "textbook.py", broken):
        rule = as_rule(load_rule(f"{file}:{name}"))
        seen[file] = [kind.gather(Case(rule, Exact(), rule.declaration.networks[0])).evidence for kind in KINDS]
    as_it_is, mistaken = seen.values()
    assert [each.strength for each in as_it_is] == [Strength.PROVED, Strength.EXACT], as_it_is
    statuses = {each.status for each in mistaken}
    assert Status.REFUTED in statuses and Status.HOLDS not in statuses, mistaken
