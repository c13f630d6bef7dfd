"""Matrix of the gallery: every fault against every kind of evidence and the checkers of torch, JAX and autograd."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algorithms.online import is_stochastic
from ..evidence.base import Case, Kind
from ..evidence.cost import counted
from ..evidence.exact import enclosure, formal, ladder, modular
from ..evidence.floats import blackbox, lagwise, properties
from ..evidence.floats import plans as floats
from ..evidence.preconditions import purity
from ..evidence.sizes import spread
from ..faults import FAULTS, SHOWN
from ..faults.estimators import EXPECTATION
from ..faults.fault import BASES, Base, Fault
from ..judge.effort import QUICK, Effort
from ..problems.lively import branching_problems, lively_problem
from ..records import Chapter, Status
from ..reference.claims import Pure, Settings
from ..reference.errors import GradcheckError
from ..reference.networks.base import Sizes
from ..reference.problem import Problem
from ..reference.wanted import Of
from ..rules.adapt import Rule, WrongResult, as_rule
from ..rules.expectation import expectation
from ..rules.failures import RuleFailed
from . import sought
from .peers import PEERS, Peer, as_question


class Result(enum.Enum):
    """Outcome of one way on one fault. The value is the mark to print."""

    CAUGHT = "+"
    MISSED = "-"
    NOT_APPLICABLE = ""
    FAILED = "!"


@dataclass(frozen=True)
class Outcome:
    """Result of one way on one fault, with the reason."""

    result: Result
    note: str


@dataclass(frozen=True)
class Row:
    """Outcomes on one fault, by the name of the way."""

    fault: str
    category: str
    outcomes: dict[str, Outcome]


@dataclass(frozen=True)
class Extent:
    """Sizes for the matrix: those of an audit, and those at which floats are judged, by evidence and peers alike."""

    effort: Effort = QUICK
    float_sizes: tuple[Sizes, ...] = blackbox.SIZES


WHOLE = Extent()
BRIEF = Extent(
    Effort(
        formal_T=2,
        formal_shapes=((1, 1, 1), (2, 2, 1)),
        modular_sizes=modular.SMALL_SIZES,
        enclosure_sizes=(Sizes(9, 5, 2, 2),),
        digits=(50,),
    ),
    (Sizes(7, 5, 2, 2), Sizes(24, 4, 2, 2), Sizes(5, 1, 3, 1)),
)
"""The sizes of the report's chapter: seconds, not minutes."""
BRIEF_KINDS = ("formal", "enclosure", "float64", "purity")

EVIDENCE: dict[str, Callable[[Extent], Kind]] = {
    "formal": lambda extent: formal.Formal(extent.effort.formal_T, extent.effort.formal_shapes),
    "modular": lambda extent: modular.Modular(extent.effort.modular_sizes),
    "enclosure": lambda extent: enclosure.Enclosure(extent.effort.enclosure_sizes),
    "ladder": lambda extent: ladder.Ladder(digits=extent.effort.digits),
    "float64": lambda extent: blackbox.BlackBox(sizes=extent.float_sizes),
    "float32": lambda extent: blackbox.BlackBox(np.float32, extent.float_sizes, most_settings=1),
    lagwise.KIND: lambda extent: lagwise.Lagwise(floats.QUICK.lagwise or lagwise.SIZE),
    properties.KIND: lambda extent: properties.Properties(sizes=properties.SIZES[:1]),
    "purity": lambda extent: purity.Purity(),
    "branches": lambda extent: sought.Sought("branches", sought.searched),
    "structured": lambda extent: sought.Sought("structured", sought.structured),
    "stable": lambda extent: sought.Stabilities(),
    "histories": lambda extent: sought.Histories(),
}
"""Each kind of evidence, at the sizes of an extent. Kinds in `FLOATS` get the rule as a black box."""
APART: dict[str, Callable[[Extent], Kind]] = {
    counted.KIND: lambda extent: counted.Counting(),
    EXPECTATION: lambda extent: sought.Expectations(),
}
"""Kinds of evidence that have no column, as what they find has no row: faults of cost, whose gradients are right, and
faults of stochastic rules, each of whose results is off."""
MARKS = "+ caught, - missed, blank not applicable, ! the checker failed"
TOTALS = ("way", "caught", "missed", "not applicable", "failed")
ON_BOTH = ("purity",)
"""Kinds that judge stochastic rules beside other rules."""
FLOATS = ("float64", "float32", lagwise.KIND, properties.KIND)

CODES = {
    "formal": "fo", "modular": "mo", "enclosure": "en", "ladder": "la", "float64": "64", "float32": "32",
    lagwise.KIND: "lw", properties.KIND: "pr", "purity": "pu",
    "branches": "br", "structured": "st", "stable": "sb", "histories": "hi",
    "torch.autograd.gradcheck, slow": "ts", "torch.autograd.gradcheck, fast": "tf",
    "jax.test_util.check_grads": "jx", "autograd.test_util.check_grads": "ag",
}  # fmt: skip
"""Two letters for the head of each column."""


def peers() -> tuple[Peer, ...]:
    """Return the peers that are installed."""
    return tuple(peer for peer in PEERS if peer.installed)


def rows(
    faults: Iterable[Fault] = FAULTS,
    *,
    kinds: Sequence[str] = tuple(EVIDENCE),
    others: Sequence[Peer] | None = None,
    extent: Extent = WHOLE,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Row]:
    """Yield each fault's outcomes as they arrive.

    Args:
        faults: The faults; those of cost and of stochastic rules are left out.
        kinds: The kinds of evidence.
        others: The peers; those that are installed if left out.
        extent: The sizes.
        seed: The seed of the problems.
        progress: Called with a line of text before each step.
    """
    chosen = peers() if others is None else others
    for fault in (each for each in faults if each.found_by not in APART):
        outcomes = {}
        for kind in kinds:
            progress(f"{fault.id}, {kind}")
            outcomes[kind] = by_evidence(fault, kind, extent, seed)
        for peer in chosen:
            progress(f"{fault.id}, {peer.name}")
            outcomes[peer.name] = by_peer(fault, peer, extent, seed)
        yield Row(fault.id, fault.category, outcomes)


def by_evidence(fault: Fault, kind: str, extent: Extent = WHOLE, seed: int = 0) -> Outcome:
    """Return the outcome of one kind of evidence on a fault."""
    return judged(fault.black_box() if kind in FLOATS else fault.fresh(), kind, extent, seed)


def judged(target: Any, kind: str, extent: Extent = WHOLE, seed: int = 0) -> Outcome:
    """Return the outcome of one kind of evidence on a rule's one claim, on its first network."""
    if is_stochastic(target) != (kind == EXPECTATION) and kind not in ON_BOTH:
        random = "it is a random result" if is_stochastic(target) else "the rule draws from no noise"
        return Outcome(Result.NOT_APPLICABLE, random)
    try:
        evidence = {**EVIDENCE, **APART}[kind](extent).gather(case_of(target, kind, seed)).evidence
    except (RuleFailed, WrongResult) as error:
        return Outcome(Result.CAUGHT, str(error))
    except GradcheckError as error:
        return Outcome(Result.NOT_APPLICABLE, str(error))
    unjudged = evidence.status in (Status.NOT_RUN, Status.ERROR)
    caught = Result.CAUGHT if evidence.status is Status.REFUTED else Result.MISSED
    return Outcome(Result.NOT_APPLICABLE if unjudged else caught, evidence.statement)


def case_of(target: Any, kind: str, seed: int = 0) -> Case:
    """Return the case of a rule's one claim on its first network, or of its purity there.

    A stochastic rule is judged by its expectation.
    """
    rule = as_rule(target)
    rule = rule if kind == "purity" else expectation(rule)
    claim = next(claim for claim in rule.declaration.claims if not isinstance(claim, Pure))
    return Case(rule, Pure() if kind == "purity" else claim, rule.declaration.networks[0], seed)


def by_peer(fault: Fault, peer: Peer, extent: Extent = WHOLE, seed: int = 0) -> Outcome:
    """Return the outcome of a peer on a fault, on the problems of float evidence, up to the first that it rejects.

    A problem on which the peer rejects the true gradient too tells nothing and is skipped. A peer that raises an error
    on the true gradient has failed: it neither caught the fault nor missed it.
    """
    if not fault.claims_a_gradient:
        return Outcome(Result.NOT_APPLICABLE, "it claims another gradient than the loss's")
    base, rule = BASES[fault.base], as_rule(fault.black_box())
    tried = alarms = 0
    for title, problem in _problems(rule, extent, seed).items():
        for settings in spread(rule.settings(problem.T), 2):
            tried += 1
            accepted, error = _answer(peer, rule.target, base, problem, settings, rule.of)
            if accepted:
                continue
            accepts_truth, failure = _answer(peer, base.truth, base, problem, {}, rule.of)
            if failure:
                return Outcome(Result.FAILED, f"on the true gradient, at {title}, it raised {failure}")
            if accepts_truth:
                return Outcome(Result.CAUGHT, f"at {title}{', where it raised ' + error if error else ''}")
            alarms += 1
    if alarms == tried:
        return Outcome(Result.NOT_APPLICABLE, f"it rejects the true gradient on all {tried} problems")
    return Outcome(Result.MISSED, f"not rejected where the true gradient is accepted (false alarms: {alarms})")


def _answer(peer: Peer, target: Any, base: Base, problem: Problem, settings: Settings, of: Of) -> tuple[bool, str]:
    """Return the peer's answer about a rule, and the error that it raised in place of one."""
    try:
        return peer.accepts(as_question(target, base.objective, problem, settings, of)), ""
    except Exception as error:  # a wrong gradient may well make a checker fail; the true one tells the two apart
        return False, f"{type(error).__name__}: {error}"


def _problems(rule: Rule, extent: Extent, seed: int) -> dict[str, Problem]:
    """Return the problems of float evidence, by title."""
    network, weighted = rule.declaration.networks[0], rule.declaration.weighted
    problems = {
        str(size): lively_problem(
            network, size, seed, weighted=weighted, zero_state=number in blackbox.ZERO_STATE
        )
        for number, size in enumerate(extent.float_sizes)
    }  # fmt: skip
    for name, problem in branching_problems(network, seed, weighted=weighted).items():
        problems[f"{problem.sizes}, {name}"] = problem
    return problems


def codes(names: Iterable[str]) -> tuple[str, ...]:
    """Return the head of each way's column."""
    return tuple(CODES.get(name, name[:2]) for name in names)


def legend(names: tuple[str, ...]) -> str:
    """Return the meaning of the heads and of the marks."""
    ways = "; ".join(f"{code} = {name}" for code, name in zip(codes(names), names, strict=True))
    return f"{ways}. {MARKS}"


def absent() -> str:
    """Return a sentence that names the peers that are not installed; empty where all are."""
    missing = {peer.package: None for peer in PEERS if not peer.installed}
    if not missing:
        return ""
    names = (
        " and ".join([", ".join(list(missing)[:-1]), list(missing)[-1]]) if len(missing) > 1 else next(iter(missing))
    )
    verb = "is" if len(missing) == 1 else "are"
    return f"The checkers of {names} have no column: {names} {verb} not installed (pip install {' '.join(missing)})."


def totals(table: Sequence[Row]) -> tuple[tuple[str, str, str, str, str], ...]:
    """Return (way, caught, missed, not applicable, failed) for each way, and before them for all evidence together."""
    names = list(table[0].outcomes) if table else []
    results = {name: [row.outcomes[name].result for row in table] for name in names}
    kinds = [results[name] for name in names if name in EVIDENCE]
    together = [Result.CAUGHT if Result.CAUGHT in row else Result.MISSED for row in zip(*kinds, strict=True)]
    counts = {name: Counter(each) for name, each in {"all evidence together": together, **results}.items()}
    order = (Result.CAUGHT, Result.MISSED, Result.NOT_APPLICABLE, Result.FAILED)
    return tuple((name, *(str(count[result]) for result in order)) for name, count in counts.items())  # type: ignore[misc]


def chapter(progress: Callable[[str], None] = lambda _: None, *, faults: Iterable[Fault] = SHOWN) -> Chapter:
    """Return the chapter of the report, at small sizes."""
    faults = tuple(faults)
    table = list(rows(faults, extent=BRIEF, kinds=BRIEF_KINDS, progress=progress))
    names = tuple(table[0].outcomes)
    heads = dict(zip(names, codes(names), strict=True))
    summary = [(f"{name} ({heads[name]})" if name in heads else name, *counts) for name, *counts in totals(table)]
    failed = any(outcome.result is Result.FAILED for row in table for outcome in row.outcomes.values())
    columns = 5 if failed else 4
    return Chapter(
        "faults",
        "A gallery of wrong gradients: who catches what",
        _INTRODUCTION.strip(),
        tables=(
            (
                f"Faults caught, by each way of looking. {absent()}".strip(),
                TOTALS[:columns],
                tuple(row[:columns] for row in summary),
            ),
            (
                f"Every fault against every way. {MARKS}",
                ("fault", *codes(names)),
                tuple((row.fault, *(outcome.result.value for outcome in row.outcomes.values())) for row in table),
            ),
            ("The faults", ("fault", "effect"), tuple((fault.id, fault.effect) for fault in faults)),
        ),
    )


_INTRODUCTION = f"""
The gallery holds {len(FAULTS)} mistakes, each made in a right rule: a shipped one, or the backward pass of a cell. Of \
these, {len(FAULTS) - len(SHOWN)} show only at some sizes, at some values, at extreme ones, or after some calls, and \
searches find them, or only in counts or in an expectation. `gradcheck faults --matrix` has those that searches find \
too. This chapter shows which kinds of evidence catch each of the others, at small sizes, and which are caught by the \
gradient checkers of torch, JAX and autograd on their default settings.

Float evidence and those checkers judge the same code on the same float64 problems, which were chosen for power: long \
lags stay visible. A rejection by a checker counts only where the checker accepts the true gradient. Checkers do not \
apply to rules that claim to leave lags out, and evidence on other number systems does not apply to code that compares \
its numbers. An audit refutes a rule as soon as one kind of evidence does.

`gradcheck faults` lists the mistakes, with the code of each; `gradcheck faults --matrix` makes this table at larger \
sizes.
"""
