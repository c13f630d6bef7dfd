"""The rules in examples/, as outsiders write them, audited for real."""

import importlib.util
from pathlib import Path

import pytest

from gradcheck import audit
from gradcheck.records import Status, Strength
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
