"""Faults of cells: the backward passes that they are made of are right, and each one is refuted and named."""

from __future__ import annotations

import pytest

from gradcheck.chapters import matrix
from gradcheck.chapters.matrix import Extent, Result
from gradcheck.evidence.base import Case
from gradcheck.evidence.exact import formal
from gradcheck.evidence.floats import blackbox
from gradcheck.explain.diagnosis import diagnose
from gradcheck.faults import ON_CELLS, Fault, fault_named
from gradcheck.faults.fault import BASES, black_box, build
from gradcheck.judge.effort import Effort
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Status
from gradcheck.reference.network import GRU, LSTM, RTU, Elman, Leaky, Network, Sizes, Stacked
from gradcheck.reference.networks.base import RecurrentNetwork
from gradcheck.rules.adapt import as_rule

ISSUE = {
    "derivative of a gate missing": [
        "lstm-forget-gate-constant", "gru-reset-gate-constant", "gru-update-gate-constant", "gru-update-slope-missing",
        "lstm-complement-missing",
    ],
    "cell path dropped": ["lstm-cell-path-dropped", "lstm-hidden-path-dropped", "gru-kept-path-dropped"],
    "forget path": ["lstm-forgetting-missing", "lstm-new-cell-in-forgetting", "mgu-reset-path-forgotten"],
    "tanh of tanh": ["lstm-tanh-of-tanh"],
    "slopes": ["lstm-slope-missing-in-c", "lstm-slope-missing-in-z", "potential-slope-missing"],
    "gate order": ["lstm-gates-in-another-order", "gru-gates-in-another-order", "gru-update-gate-inverted"],
    "bias of one gate copied to another": ["lstm-bias-of-another-gate"],
    "reset on the wrong side": [
        "gru-reset-on-the-wrong-side", "gru-reset-missing-in-dr", "gru-hidden-bias-not-reset",
        "gru-reset-without-its-bias",
    ],
    "peepholes": ["lstm-peephole-a-step-late", "lstm-peephole-path-dropped"],
    "derivatives of two gates swapped": ["lstm-i-and-f-swapped"],
    "output gate from c": ["lstm-output-gate-from-c"],
    "coupled gate": ["lstm-coupled-gate-sign", "lstm-coupled-gate-alone"],
    "projection": ["lstm-projection-reshaped", "lstm-projection-of-the-cell"],
    "one gate twice": ["mgu-forget-applied-twice", "mgu-mixture-sign"],
    "hidden bias missing": ["elman-hidden-bias-missing"],
    "leak": [
        "leak-missing-in-the-path", "leak-path-dropped", "leak-missing-in-new-part", "leak-of-the-new-part-alone",
    ],
    "1/tau": ["time-constant-not-squared", "time-constant-forgotten"],
    "sign of a complex pair": ["pair-turned-forward", "conjugate-readout"],
    "parametrised eigenvalues": ["angle-exponential-missing", "normalisation-constant"],
    "between layers": ["layer-below-gets-nothing", "layer-gets-the-state-path", "carried-errors-swapped"],
    "another layer's matrix": ["dr-of-the-layer-above", "r-of-the-layer-above"],
    "residual": ["residual-path-dropped", "residual-readout-of-the-top"],
    "learned start": ["learned-start-dropped", "learned-start-a-step-late"],
    "order of Jacobians": ["jacobians-in-forward-order", "jacobian-of-the-next-step"],
    "only the last state": ["gru-last-state-everywhere"],
}  # fmt: skip
"""Mistakes in code of gated and stacked networks, and the faults that are they."""

_SIZES = Sizes(4, 3, 2, 2)
_EFFORT = Effort(
    formal_T=2, formal_shapes=((1, 1, 1),), modular_sizes=(_SIZES,), enclosure_sizes=(_SIZES,), digits=(50,)
)
EXTENT = Extent(_EFFORT, (_SIZES,))
NOT_MODULAR = {"lstm-tanh-of-tanh": "enclosure", "normalisation-constant": "formal"}
"""A function at another place, and roots of which half of all residues have none."""

ALL = pytest.mark.parametrize("fault", ON_CELLS, ids=lambda fault: fault.id)


@ALL
def test_a_fault_of_a_cell_is_refuted(fault: Fault) -> None:
    kind = NOT_MODULAR.get(fault.id, "modular")
    outcome = matrix.judged(fault.fresh(), kind, EXTENT)
    assert outcome.result is Result.CAUGHT, f"{kind} evidence lets {fault.id} pass: {outcome.note}"


@ALL
def test_it_is_refuted_as_a_black_box(fault: Fault) -> None:
    outcome = matrix.judged(fault.black_box(), "float64", EXTENT)
    assert outcome.result is Result.CAUGHT, f"{fault.id} passes: {outcome.note}"


def networks(base: str) -> list[RecurrentNetwork]:
    """The network of a base, and those of its faults."""
    return list(dict.fromkeys([BASES[base].network, *(net for f in ON_CELLS if f.base == base for net in f.networks)]))


BY_HAND = [name for name, base in BASES.items() if base.module.startswith("by_hand")]
RIGHT = [(base, network) for base in BY_HAND for network in networks(base)]


@pytest.mark.parametrize(("base", "network"), RIGHT, ids=lambda each: str(each))
def test_a_backward_pass_by_hand_is_right(base: str, network: RecurrentNetwork) -> None:
    """Base of the faults, made as they are, so that what is refuted is the mistake."""
    rule = build(base, networks=(network,))
    kinds = ("enclosure",) if isinstance(network, RTU) else ("modular", "enclosure")
    for kind in kinds:
        evidence = matrix.EVIDENCE[kind](EXTENT).gather(matrix.case_of(rule, kind)).evidence
        assert evidence.status is Status.HOLDS, f"{kind}: {evidence.statement}"


@pytest.mark.parametrize("base", BY_HAND)
def test_it_is_proved(base: str) -> None:
    case = matrix.case_of(build(base), "formal")
    evidence = formal.Formal(1, ((1, 1, 1),)).gather(case).evidence
    assert evidence.status is Status.HOLDS, evidence.statement


FURTHER = {
    "leaky": [Leaky("relu", leak=0.25, state="potential", biases=0, readout_bias=True)],
    "gru": [GRU("softplus", reset="after", biases=0)],
    "lstm": [LSTM(peepholes=True, forget="coupled", projection=2, biases=2), LSTM(forget="none", biases=0)],
    "stacked": [Stacked(LSTM(), GRU(), Elman(biases=0), readout_bias=True)],
}


@pytest.mark.parametrize("base", FURTHER)
def test_it_is_right_with_other_options(base: str) -> None:
    for network in FURTHER[base]:
        case = matrix.case_of(black_box(build(base, networks=(network,))), "float64")
        evidence = blackbox.BlackBox(sizes=(Sizes(3, 2, 1, 2),), branching=False).gather(case).evidence
        assert evidence.status is Status.HOLDS, f"{network}: {evidence.statement}"


NAMED = (
    "gru-reset-on-the-wrong-side", "jacobians-in-forward-order", "time-constant-forgotten", "learned-start-a-step-late",
)  # fmt: skip
"""Some that no other step of a diagnosis explains."""


@pytest.mark.parametrize("id", NAMED)
def test_it_is_named(id: str) -> None:
    rule = as_rule(fault_named(id).fresh())
    network = rule.declaration.networks[0]
    case = Case(rule, rule.declaration.claims[0], network)
    said = diagnose(case, {}, lively_problem(network, Sizes(3, 2, 1, 1), 0)) or ""
    assert said.startswith(f"The result is that of the fault {id!r}: "), said


def test_every_item_has_its_faults_and_every_fault_is_some_item() -> None:
    ids = [fault.id for fault in ON_CELLS]
    named = [id for faults in ISSUE.values() for id in faults]
    assert len(ids) == len(set(ids)) >= 25 and sorted(ids) == sorted(named)


def test_a_fault_is_compared_on_networks_of_its_equations_alone() -> None:
    assert fault_named("lstm-tanh-of-tanh").runs_on(LSTM(peepholes=True))
    assert not fault_named("lstm-tanh-of-tanh").runs_on(GRU())
    assert fault_named("scale-2").runs_on(Network("relu")) and not fault_named("scale-2").runs_on(Elman())
