"""The gallery of wrong gradients: each one is what it says, is refuted, and its base made the same way holds."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import re
from typing import Any

import numpy as np
import pytest

import gradcheck
from gradcheck.chapters import matrix, sought
from gradcheck.chapters.matrix import BRIEF, Extent, Result
from gradcheck.chapters.peers import Peer
from gradcheck.evidence.floats import blackbox, branches, screen
from gradcheck.evidence.floats.reach import FULL_BITS, Reach
from gradcheck.evidence.preconditions import histories
from gradcheck.faults import ESTIMATORS, FAULTS, ON_CELLS, SHOWN, Change, Fault, fault_named, patched, rules
from gradcheck.faults.fault import BASES, black_box, build
from gradcheck.judge.effort import Effort
from gradcheck.records import Collection, Evidence, Status
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import Network
from gradcheck.reference.networks.base import Sizes
from gradcheck.report import to_text

pytestmark = pytest.mark.jax

ISSUE = {
    "transposed R": ["r-transposed-in-recursion", "r-transposed-in-influence", "dr-transposed"],
    "transposed W": ["dw-transposed", "w-read-by-columns"],
    "transposed V": ["dv-transposed", "v-reshaped-in-the-error"],
    "a(t) for a(t-1)": ["new-state-in-dr"],
    "f' at the wrong time": ["slope-late-in-recursion", "slope-late-in-influence"],
    "f' of the wrong argument": ["slope-of-the-activation"],
    "f' left out": ["slope-missing", "slope-missing-in-recursion", "slope-missing-in-error"],
    "1 - s^2 for 1 - a^2": ["slope-from-s"],
    "delta started one step off": ["recursion-starts-early"],
    "delta stopped one step off": ["recursion-stops-early", "wrong-when-t-exceeds-i"],
    "first step dropped": ["first-step-dropped"],
    "last step dropped": ["last-step-dropped", "last-loss-dropped"],
    "last chunk dropped": ["last-chunk-dropped"],
    "truncated at 1": ["truncated-at-1", "influence-never-carried"],
    "truncated at 8": ["truncated-at-8"],
    "truncated at 20": ["truncated-at-20"],
    "truncated at T-1": ["truncated-at-t-minus-1"],
    "detach in the wrong place": ["detach-left-in", "detach-one-step-late", "detach-before-the-readout"],
    "losses injected twice": ["losses-injected-twice", "overlap-counted-twice"],
    "mean for sum over T and back": ["mean-over-t", "times-t"],
    "mean for sum over N and back": ["mean-twice-over-sequences", "sum-over-sequences"],
    "mean for sum over K and back": ["mean-over-k", "times-k"],
    "a scale of 2": ["scale-2"],
    "a scale of 1.0005": ["scale-1-plus-5e-4"],
    "a scale of 1 + 1e-9": ["scale-1-plus-1e-9"],
    "one entry wrong in a thousand": ["one-entry-wrong"],
    "a sign": ["sign-of-dv", "sign-of-the-recursion"],
    "rows permuted": ["rows-permuted"],
    "gradient accumulated across calls": ["gradient-accumulated"],
    "gradient not accumulated where it should be": ["overlap-overwritten", "only-the-last-chunk"],
    "influence not reset between sequences": ["influence-not-reset"],
    "influence reset inside a sequence": ["influence-reset-at-blocks"],
    "influence started wrong": ["influence-started-at-1", "trace-started-at-the-state"],
    "immediate term from the new state": ["new-state-in-immediate-term", "trace-from-the-new-state"],
    "block boundary off by one": [
        "boundary-error-late", "block-stops-one-step-short", "boundary-step-in-two-blocks", "window-off-by-one",
    ],
    "influence applied after instead of before the step": ["influence-one-step-late"],
    "error signal only at the last step": ["loss-at-the-last-step-only"],
    "output derivative left out": ["output-derivative-left-out"],
    "output derivative doubled": ["output-derivative-doubled"],
    "bias gradient missing": ["bias-gradient-missing"],
    "initial state ignored": ["initial-state-ignored", "initial-state-missing-in-dr"],
    "clipped": ["clipped", "clipped-by-norm"],
    "rounded to float32": ["rounded-to-float32"],
    "NaN turned to 0": ["nan-turned-to-0"],
    "wrong only when T > I": ["wrong-when-t-exceeds-i"],
    "wrong only when I > 4": ["wrong-when-i-exceeds-4"],
    "wrong only when T is odd": ["wrong-when-t-is-odd"],
    "wrong only when a unit saturates": ["slope-zero-when-saturated"],
    "wrong only when an input is exactly 0": ["masked-where-the-input-is-0", "influence-masked-by-values"],
    "wrong at I = 1": ["wrong-at-i-1"],
    "wrong at K = 1": ["wrong-at-k-1"],
    "stale buffer between calls": ["stale-buffer"],
    "aliasing of the returned arrays": ["returns-its-buffer", "changes-its-parameters"],
    "time reversed": ["time-reversed", "changes-its-inputs"],
    "sequences padded and not masked": ["padded-and-not-masked", "padding-not-masked"],
    "dL/dh0 dropped, of another step, or in the wrong slot": [
        "initial-state-dropped", "initial-state-of-step-1", "initial-states-exchanged",
    ],
    "dL/dh0 through a transposed R": ["initial-state-transposed"],
    "dL/dx a step late, or weighted twice": ["inputs-one-step-late", "inputs-weighted-twice"],
    "dL/dx without a path": ["inputs-without-recurrence", "inputs-past-the-output-gate"],
    "layer's input gradient lost": ["layer-input-gradient-lost"],
    "NaN times 0": ["nan-times-0"],
    "mean over padded length": ["mean-over-padded-length", "mean-over-all-padded-steps"],
    "batch summed for mean and back": ["batch-summed-for-mean", "batch-averaged-for-sum"],
    "mean over K missing": ["mean-over-outputs-missing"],
    "last valid step taken as step T": ["step-t-for-last-valid-step"],
    "mask of another step or sequence": ["mask-a-step-late", "mask-of-another-sequence"],
    "reduction over some sequences only": ["first-sequence-only", "last-sequence-left-out"],
    "bias counted once instead of N times": ["bias-counted-once", "bias-of-the-first-sequence"],
    "masks from values, or a hop off": [
        "snap-masked-by-values", "snap-one-hop-too-few", "snap-one-hop-too-many", "pattern-transposed",
    ],
    "a trace's time constant": [
        "trace-of-another-leak", "trace-leak-exchanged", "trace-without-the-leak",
    ],
    "a trace's slope": ["trace-slope-late", "eprop-slope-in-the-trace"],
    "a trace one step late": ["eprop-trace-one-step-late"],
    "the feedback's signal": ["feedback-reshaped", "sensitivity-transposed", "eprop-signal-of-now"],
    "stale predictor": ["predictor-stale", "signal-of-the-blocks-start"],
    "gradient leaking over a boundary": ["block-leaks-into-the-next", "signal-past-the-end"],
    "tail dropped": ["last-short-block-dropped"],
    "chain factor missing": ["modulus-without-its-chain", "input-scale-without-chain"],
    "conjugate missing": ["conjugate-missing"],
    "sequences mixed": [
        "sequences-mixed-by-reshape", "one-start-for-all", "starts-in-another-order", "batch-errors-averaged",
    ],
}  # fmt: skip
"""What a gallery of wrong recurrent gradients must have, and the faults that are it."""

HIDDEN = {
    "past a block of steps": [
        "history-of-64-steps", "history-of-128-steps", "last-block-dropped", "wrong-past-200-steps",
    ],
    "past a block of units, inputs or outputs": [
        "units-of-the-first-block", "units-of-two-blocks", "outputs-of-the-first-block", "inputs-of-the-first-block",
    ],
    "a multiple of 13": ["every-thirteenth-length"],
    "equal sizes": ["square-history-transposed"],
    "K > D": ["more-outputs-than-units"],
    "int8 indices": ["steps-counted-in-8-bits"],
    "single precision past 16": ["float32-past-16-units"],
    "repeated inputs": ["repeated-step-skipped", "constant-sequence-shortened"],
    "exact halves and ones": ["half-taken-for-missing", "target-of-1-means-a-class", "state-of-1-taken-for-none"],
    "negative targets": ["negative-targets-refused", "target-of-minus-1-ignored"],
    "structured weights": [
        "symmetric-weights-shortcut", "identity-weights-shortcut", "triangular-weights-shortcut",
        "permutation-shortcut", "no-recurrence-shortcut", "positive-weights-shortcut",
    ],
    "whole numbers": ["integers-taken-for-indices"],
    "zeros": ["trailing-zeros-trimmed"],
    "large and small values": ["large-inputs-cut", "small-inputs-flushed", "large-states-cut"],
    "tanh by exponentials": ["tanh-by-exponentials"],
    "overflowing slope": ["slope-by-exponentials", "softplus-by-exponentials"],
    "unshifted softmax": ["softmax-without-a-shift"],
    "log 0": ["logistic-error-by-division", "cross-entropy-clipped"],
    "clip at 1e5": ["clipped-at-100000"],
    "coarse formats": ["dr-in-float16", "dr-in-bfloat16", "states-in-tf32"],
    "rounded intermediate results": ["errors-rounded-to-12-places", "stochastic-rounding"],
    "caches with too small a key": [
        "cache-keyed-by-shape", "cache-but-for-the-state", "cache-without-the-targets",
    ],
    "every 400th call": ["every-400th-call"],
    "calls at once": ["workspace-of-all-threads", "errors-of-all-threads"],
    "storage that grows with T": ["history-kept-online", "errors-kept-at-every-step"],
    "time that grows faster": ["unrolled-for-every-loss", "jacobian-as-a-product"],
    "memory layout": ["read-in-memory-order", "strides-not-asked"],
    "order and identity of arrays": ["parameters-by-position", "gradients-by-identity"],
    "pruned weights": ["pruned-weights-masked", "unread-units-skipped", "undriven-units-skipped"],
    "states that settle": ["stops-at-a-fixed-point", "settled-within-1e-12"],
    "division by the slope": ["trace-divided-by-the-slope"],
    "state kept": ["reserve-space-reused", "state-carried-over", "one-result-late"],
}  # fmt: skip
"""Kinds of mistakes that common problems do not show, and the faults that are they."""

EXTENT = Extent(
    Effort(formal_T=3, formal_shapes=((1, 1, 1), (2, 2, 2)), enclosure_sizes=(Sizes(9, 5, 2, 2),), digits=(50,)),
    BRIEF.float_sizes,
)

FORMAL_CANNOT = {
    # They evaluate f where the network does not.
    "w-read-by-columns", "initial-state-ignored", "slope-of-the-activation", "padded-and-not-masked",
    "sum-over-sequences", "mean-twice-over-sequences", "mean-over-padded-length", "mean-over-all-padded-steps",
    "padding-not-masked", "step-t-for-last-valid-step", "mask-of-another-sequence", "sequences-mixed-by-reshape",
    "one-start-for-all", "starts-in-another-order",
    # They are right at its sizes.
    "truncated-at-8", "detach-left-in", "wrong-when-i-exceeds-4", "boundary-error-late", "pattern-transposed",
}  # fmt: skip
ON_THE_LECTURES = tuple(fault for fault in SHOWN if fault not in ON_CELLS)
"""Faults of the shipped rules; test_cell_faults.py has those of cells."""
ON_FLOATS_ONLY = {"truncated-at-20"}
"""Right at the sizes of proofs and balls here."""


def catching(fault: Fault) -> str:
    """The kind of evidence that catches the generic rule, the strongest first."""
    if fault.breaks == "pure":
        return "purity"
    if fault.values or fault.id in ON_FLOATS_ONLY:
        return "float64"
    return "enclosure" if fault.id in FORMAL_CANNOT else "formal"


@pytest.mark.parametrize("fault", ON_THE_LECTURES, ids=lambda fault: fault.id)
def test_a_fault_is_refuted_as_a_generic_rule(fault: Fault) -> None:
    kind = catching(fault)
    outcome = matrix.judged(fault.fresh(), kind, EXTENT)
    assert outcome.result is Result.CAUGHT, f"{kind} evidence lets {fault.id} pass: {outcome.note}"


@pytest.mark.parametrize("fault", ON_THE_LECTURES, ids=lambda fault: fault.id)
def test_a_fault_is_refuted_as_a_black_box(fault: Fault) -> None:
    kind = "purity" if fault.breaks == "pure" else "float64"
    outcome = matrix.judged(fault.black_box(), kind, EXTENT)
    assert outcome.result is Result.CAUGHT, f"{kind} evidence lets {fault.id} pass: {outcome.note}"


# Faults that common problems do not show

SEARCHED = [fault for fault in FAULTS if fault.found_by]


def evidence_on(fault: Fault, rule: Any) -> Evidence:
    """The evidence of the kind that finds the fault, on the problem that shows it where a search finds that."""
    case = matrix.case_of(rule, fault.found_by)
    if fault.sizes is None:
        return {**matrix.EVIDENCE, **matrix.APART}[fault.found_by](BRIEF).gather(case).evidence
    reach = Reach(fault.sizes, fault.change or FULL_BITS)
    return branches.Branches((reach,)).gather(case).evidence


@pytest.mark.parametrize("fault", SEARCHED, ids=lambda fault: fault.id)
def test_a_hidden_fault_is_found_by_its_kind(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "MOST_CALLS", 500)
    evidence = evidence_on(fault, fault.fresh())
    assert evidence.status is Status.REFUTED, f"{fault.found_by} lets {fault.id} pass: {evidence.statement}"


@pytest.mark.parametrize("fault", [fault for fault in SEARCHED if fault.sizes], ids=lambda fault: fault.id)
def test_the_problem_that_shows_it_is_one_that_is_tried(fault: Fault) -> None:
    case = matrix.case_of(fault.fresh(), fault.found_by)
    if fault.found_by == "structured":
        assert fault.change in {reach.change for reach in sought.structured(case)}
        return
    numbers = sought.recorder_of(case).numbers()
    tried = {*screen._sizes(numbers, True), *(reach.sizes for reach in branches.candidates(case, numbers))}
    assert fault.sizes in tried, f"{fault.sizes} is not tried for {fault.id}"


@pytest.mark.parametrize("fault", [f for f in SEARCHED if f.sizes][::3], ids=lambda fault: fault.id)
def test_common_problems_do_not_show_it(fault: Fault) -> None:
    outcome = matrix.judged(fault.black_box(), "float64", BRIEF)
    assert outcome.result is Result.MISSED, f"it is no hidden fault: {outcome.note}"


@pytest.mark.parametrize("fault", SEARCHED[::4], ids=lambda fault: fault.id)
def test_a_right_rule_holds_where_a_hidden_fault_shows(fault: Fault) -> None:
    evidence = evidence_on(fault, build(fault.base, networks=fault.networks, claims=fault.claims))
    assert evidence.status is Status.HOLDS, evidence.statement


@pytest.mark.parametrize(
    ("id", "kind"),
    [
        ("history-of-64-steps", "branches"),
        ("square-history-transposed", "branches"),
        ("half-taken-for-missing", "structured"),
    ],
)
def test_the_whole_search_finds_it(id: str, kind: str) -> None:
    outcome = matrix.by_evidence(fault_named(id), kind)
    assert outcome.result is Result.CAUGHT, outcome.note


def test_a_search_that_finds_nothing_has_missed() -> None:
    kind = sought.Sought("structured", lambda case, progress: [])
    evidence = kind.gather(matrix.case_of(fault_named("scale-2").fresh(), "structured")).evidence
    assert evidence.status is Status.INCONCLUSIVE and "no problem differs" in evidence.statement


_RESULTS = [fault for fault in ON_THE_LECTURES if fault.breaks != "pure"]
IN_FLOAT32 = [fault for n, fault in enumerate(_RESULTS) if n % 3 == 0 or not fault.visible_in_float32]
"""A third of them, and all that are below its resolution."""


@pytest.mark.parametrize("fault", IN_FLOAT32, ids=lambda fault: fault.id)
def test_float32_refutes_what_it_can_resolve(fault: Fault) -> None:
    case = matrix.case_of(fault.black_box(), "float32")
    evidence = blackbox.BlackBox(np.float32, BRIEF.float_sizes).gather(case).evidence
    assert (evidence.status is Status.REFUTED) is fault.visible_in_float32, f"{fault.id}: {evidence.statement}"


_SHIPPED = [name for name, base in BASES.items() if not base.module.startswith("by_hand")]
_STOCHASTIC = {fault.base for fault in ESTIMATORS}


@pytest.mark.parametrize("base", [name for name in _SHIPPED if name not in _STOCHASTIC])
@pytest.mark.parametrize("kind", ["formal", "enclosure", "float64", "purity"])
def test_a_base_without_its_mistake_holds(base: str, kind: str) -> None:
    """The same machinery makes it: what is refuted is the mistake."""
    rule = build(base)
    case = matrix.case_of(black_box(rule) if kind == "float64" else rule, kind)
    evidence = matrix.EVIDENCE[kind](EXTENT).gather(case)
    assert evidence.evidence.status is Status.HOLDS, evidence.evidence.statement


@pytest.mark.parametrize("id", ["stale-buffer", "padded-and-not-masked"])
def test_a_whole_audit_refutes(id: str) -> None:
    report = gradcheck.audit(fault_named(id).fresh(), effort="quick")
    assert not report.passed and report.exit_status == 1, str(report)
    assert report.rule == id


# The data


def test_every_item_has_its_faults_and_every_fault_is_some_item() -> None:
    ids = [fault.id for fault in FAULTS if fault not in (*ON_CELLS, *ESTIMATORS)]
    assert len(ids) == len(set(ids)) >= 105, f"{len(ids)} faults, {len(set(ids))} of them different"
    named = {id for faults in [*ISSUE.values(), *HIDDEN.values()] for id in faults}
    assert all(ISSUE.values()) and all(HIDDEN.values()) and named <= set(ids), f"no such faults: {named - set(ids)}"
    others = {"loss-weights-ignored", "one-lag-too-many"}
    assert set(ids) - named <= others, f"of no item: {set(ids) - named - others}"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_a_record_is_whole(fault: Fault) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", fault.id), f"{fault.id} is not in kebab case"
    assert fault.effect.endswith((".", ".)")) and fault.category and fault.base in BASES
    assert fault.breaks in ("result", "pure", "stable", "online", "cost") and fault.found_by in (
        "",
        *matrix.EVIDENCE,
        *matrix.APART,
    )
    for change in fault.changes:
        assert patched.source(change.module).count(change.old) == 1, f"{change.old!r} is not there once"
    changed = [line for line in fault.diff().splitlines() if re.match(r"[+-](?![+-]{2} )", line)]
    assert changed, f"{fault.id} changes nothing"
    rule = fault.rule()
    assert rule is fault.rule() and rule is not fault.fresh()
    assert rule.__name__ == fault.id
    assert pickle.loads(pickle.dumps(rule)) is rule, "a worker process could not be given it"


def test_a_shipped_rule_that_changed_is_seen() -> None:
    with pytest.raises(GradcheckError, match="occurs 0 times in algorithms/bptt.py; wanted once"):
        build("bptt", (Change("bptt", "delta[t + 2]", "delta[t]"),))
    with pytest.raises(GradcheckError, match="occurs 2 times"):
        patched.diff((Change("unfolding", "for t in range(T):", "for t in range(T - 1):"),))


def test_a_change_reaches_what_is_imported_and_leaves_the_shipped_rules_alone() -> None:
    from gradcheck.algorithms import bptt
    from gradcheck.algorithms.unfolding import unfold

    assert inspect.unwrap(bptt).__globals__["unfold"] is unfold
    wrong = build("chunked_bptt", fault_named("scale-2").changes)
    copied = inspect.unwrap(wrong).__globals__["unfold"]
    assert copied is not unfold and copied.__code__.co_filename == "<chunked_bptt: algorithms/unfolding.py>"


def test_an_unknown_fault_is_met_with_the_closest() -> None:
    with pytest.raises(GradcheckError, match="there is no fault 'scale-3'; did you mean scale-2"):
        fault_named("scale-3")
    with pytest.raises(AttributeError, match="there is no fault 'scale'"):
        rules.scale  # noqa: B018
    assert "scale-2" in dir(rules)


# Who catches what


@pytest.mark.parametrize("peer", matrix.peers(), ids=lambda peer: peer.name)
def test_other_checkers_are_asked_fairly(peer: Peer) -> None:
    """They accept right gradients, in both kinds of objective, and reject what is plainly wrong."""
    for id, wanted in {
        "sign-of-dv": Result.CAUGHT,
        "sum-over-sequences": Result.CAUGHT,
        "scale-1-plus-1e-9": Result.MISSED,
        "one-lag-too-many": Result.NOT_APPLICABLE,
    }.items():
        outcome = matrix.by_peer(fault_named(id), peer, BRIEF)
        assert outcome.result is wanted, f"{peer.name} on {id}: {outcome.note}"


def test_a_rejection_of_right_gradients_too_counts_for_nothing() -> None:
    """Differences at relu's kink lie between its slopes, so a checker by differences rejects either."""
    slope = "slope = net.activation.derivative(s)"
    upper = Change("unfolding", slope, "slope = np.where(s >= 0, np.ones_like(s), np.zeros_like(s))")
    kink = dataclasses.replace(
        fault_named("slope-zero-when-saturated"), id="slope-at-the-kink", changes=(upper,), networks=(Network("relu"),)
    )
    for peer in matrix.peers():
        outcome = matrix.by_peer(kink, peer, BRIEF)
        assert outcome.result is Result.MISSED and "(false alarms: 1)" in outcome.note, f"{peer.name}: {outcome.note}"
    outcome = matrix.by_peer(kink, Peer("rejects everything", "numpy", lambda asked: False), BRIEF)
    assert outcome.result is Result.NOT_APPLICABLE and "it rejects the true gradient on all" in outcome.note, (
        outcome.note
    )


def test_random_directions_leave_the_state_of_numpy_alone() -> None:
    before = np.random.get_state()[1].copy()
    for peer in matrix.peers():
        matrix.by_peer(fault_named("sign-of-dv"), peer, BRIEF)
    assert (np.random.get_state()[1] == before).all()


def test_the_chapter_is_a_table_of_80_columns() -> None:
    few = [fault_named("scale-2"), fault_named("changes-its-inputs")]
    chapter = matrix.chapter(faults=few)
    (_, ways, totals), (caption, header, rows), (_, _, faults) = chapter.tables
    assert ways[:4] == ("way", "caught", "missed", "not applicable") and [f[0] for f in faults] == [f.id for f in few]
    assert totals[0] == ("all evidence together", "2", "0", "0"), totals
    assert ("purity (pu)", "1", "1", "0") in totals and ("formal (fo)", "1", "1", "0") in totals, totals
    assert "+ caught, - missed" in caption
    cells = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert cells["scale-2"]["fo"] == "+" and cells["scale-2"]["pu"] == "-"
    assert cells["changes-its-inputs"]["fo"] == "-" and cells["changes-its-inputs"]["pu"] == "+"
    text = to_text(Collection("Gallery", (), (chapter,)))
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"^  scale-2 +\+", text, re.MULTILINE), text
