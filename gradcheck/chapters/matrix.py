"""Who catches what: every fault against every kind of evidence and against the checkers of torch, JAX and autograd."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine.effort import QUICK, Effort
from ..evidence.base import Case, Finding, spread
from ..evidence.exact import enclosure, formal, ladder, modular
from ..evidence.floats import blackbox, lagwise, properties
from ..evidence.floats import plans as floats
from ..evidence.preconditions import purity
from ..faults import FAULTS
from ..faults.fault import BASES, Base, Fault
from ..problems.lively import lively_problem, telling_problems
from ..records import Chapter, Status
from ..reference.claims import Pure, Settings
from ..reference.errors import GradcheckError
from ..reference.networks.base import Sizes
from ..reference.problem import Problem
from ..rules.adapt import Rule, as_rule
from ..rules.call import RuleFailed, WrongResult
from .peers import PEERS, Peer, question


class Result(enum.Enum):
    """What became of a fault. The value is how it is printed."""

    CAUGHT = "+"
    MISSED = "-"
    NOT_APPLICABLE = ""


@dataclass(frozen=True)
class Outcome:
    """What one way made of one fault, and what it said."""

    result: Result
    said: str


@dataclass(frozen=True)
class Row:
    """One fault: its outcome by the way's name."""

    fault: str
    category: str
    outcomes: dict[str, Outcome]


@dataclass(frozen=True)
class Extent:
    """How far each way goes: sizes of an audit, and those at which floats are judged, by us and by others alike."""

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
"""For the report: seconds, not minutes."""
BRIEF_KINDS = ("formal", "enclosure", "float64", "purity")

EVIDENCE: dict[str, Callable[[Case, Extent], Finding]] = {
    "formal": lambda case, extent: formal.judge(
        case, largest_T=extent.effort.formal_T, shapes=extent.effort.formal_shapes
    ),
    "modular": lambda case, extent: modular.judge(case, sizes=extent.effort.modular_sizes),
    "enclosure": lambda case, extent: enclosure.judge(case, sizes=extent.effort.enclosure_sizes),
    "ladder": lambda case, extent: ladder.judge(case, digits=extent.effort.digits),
    "float64": lambda case, extent: blackbox.judge(case, sizes=extent.float_sizes),
    "float32": lambda case, extent: blackbox.judge(case, dtype=np.float32, sizes=extent.float_sizes, most_settings=1),
    lagwise.KIND: lambda case, extent: lagwise.judge(case, size=floats.QUICK.lagwise or lagwise.SIZE),
    properties.KIND: lambda case, extent: properties.judge(case, sizes=properties.SIZES[:1]),
    "purity": lambda case, extent: purity.judge(case),
}
"""A case judged by each kind of evidence. A rule judged on floats is judged as a black box."""
FLOATS = ("float64", "float32", lagwise.KIND, properties.KIND)

CODES = {
    "formal": "fo", "modular": "mo", "enclosure": "en", "ladder": "la", "float64": "64", "float32": "32",
    lagwise.KIND: "lw", properties.KIND: "pr", "purity": "pu",
    "torch.autograd.gradcheck, slow": "ts", "torch.autograd.gradcheck, fast": "tf",
    "jax.test_util.check_grads": "jx", "autograd.test_util.check_grads": "ag",
}  # fmt: skip
"""Two letters for the head of each column."""


def peers() -> tuple[Peer, ...]:
    """The checkers of others that are installed."""
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
    """Each fault's outcomes, as they come. others: the checkers of others, those installed if left out."""
    asked = peers() if others is None else others
    for fault in faults:
        outcomes = {}
        for kind in kinds:
            progress(f"{fault.id}: {kind}")
            outcomes[kind] = by_evidence(fault, kind, extent, seed)
        for peer in asked:
            progress(f"{fault.id}: {peer.name}")
            outcomes[peer.name] = by_peer(fault, peer, extent, seed)
        yield Row(fault.id, fault.category, outcomes)


def by_evidence(fault: Fault, kind: str, extent: Extent = WHOLE, seed: int = 0) -> Outcome:
    """What one kind of evidence makes of the fault."""
    return judged(fault.black_box() if kind in FLOATS else fault.fresh(), kind, extent, seed)


def judged(target: Any, kind: str, extent: Extent = WHOLE, seed: int = 0) -> Outcome:
    """What one kind of evidence makes of a rule's one claim, on its first network."""
    try:
        evidence = EVIDENCE[kind](case_of(target, kind, seed), extent).evidence
    except (RuleFailed, WrongResult) as error:
        return Outcome(Result.CAUGHT, str(error))
    except GradcheckError as error:
        return Outcome(Result.NOT_APPLICABLE, str(error))
    unjudged = evidence.status in (Status.NOT_RUN, Status.ERROR)
    caught = Result.CAUGHT if evidence.status is Status.REFUTED else Result.MISSED
    return Outcome(Result.NOT_APPLICABLE if unjudged else caught, evidence.statement)


def case_of(target: Any, kind: str, seed: int = 0) -> Case:
    """A rule's one claim on its first network, or its purity there."""
    rule = as_rule(target)
    claim = next(claim for claim in rule.declaration.claims if not isinstance(claim, Pure))
    return Case(rule, Pure() if kind == "purity" else claim, rule.declaration.networks[0], seed)


def by_peer(fault: Fault, peer: Peer, extent: Extent = WHOLE, seed: int = 0) -> Outcome:
    """What another's checker makes of the fault, on the problems that float evidence has, up to the first rejected.

    A problem on which it rejects the reference's own gradient too tells nothing, and is passed over.
    """
    if not fault.claims_a_gradient:
        return Outcome(Result.NOT_APPLICABLE, "it claims another gradient than the loss's")
    base, rule = BASES[fault.base], as_rule(fault.black_box())
    asked = alarms = 0
    for title, problem in _problems(rule, extent, seed).items():
        for settings in spread(rule.settings(problem.T), 2):
            asked += 1
            if _accepts(peer, rule.target, base, problem, settings):
                continue
            if _accepts(peer, base.truth, base, problem, {}):
                return Outcome(Result.CAUGHT, f"at {title}")
            alarms += 1
    if alarms == asked:
        return Outcome(Result.NOT_APPLICABLE, f"it rejects the right gradient on all {asked} problems")
    return Outcome(Result.MISSED, f"not rejected where the right gradient is accepted (false alarms: {alarms})")


def _accepts(peer: Peer, target: Any, base: Base, problem: Problem, settings: Settings) -> bool:
    try:
        return peer.accepts(question(target, base.objective, problem, settings))
    except Exception:  # whatever stopped the checker, it did not accept
        return False


def _problems(rule: Rule, extent: Extent, seed: int) -> dict[str, Problem]:
    """Those of the float evidence."""
    network, weighted = rule.declaration.networks[0], rule.declaration.weighted
    found = {
        str(size): lively_problem(
            network, size, seed, weighted=weighted, zero_state=number in blackbox.ZERO_STATE
        )
        for number, size in enumerate(extent.float_sizes)
    }  # fmt: skip
    for name, problem in telling_problems(network, seed, weighted=weighted).items():
        found[f"{problem.sizes}, {name}"] = problem
    return found


def codes(names: Iterable[str]) -> tuple[str, ...]:
    """The head of each way's column."""
    return tuple(CODES.get(name, name[:2]) for name in names)


def legend(names: tuple[str, ...]) -> str:
    """What the heads stand for, and the marks."""
    ways = "; ".join(f"{code} = {name}" for code, name in zip(codes(names), names, strict=True))
    return f"{ways}. + caught, - missed, blank: not applicable"


def totals(table: Sequence[Row]) -> tuple[tuple[str, str, str, str], ...]:
    """(way, caught, missed, not applicable) for each way, after what all evidence together caught and missed."""
    names = list(table[0].outcomes) if table else []
    found = {name: [row.outcomes[name].result for row in table] for name in names}
    kinds = [found[name] for name in names if name in EVIDENCE]
    together = [Result.CAUGHT if Result.CAUGHT in results else Result.MISSED for results in zip(*kinds, strict=True)]
    counts = {name: Counter(results) for name, results in {"all evidence together": together, **found}.items()}
    return tuple(
        (name, str(count[Result.CAUGHT]), str(count[Result.MISSED]), str(count[Result.NOT_APPLICABLE]))
        for name, count in counts.items()
    )


def chapter(progress: Callable[[str], None] = lambda _: None, *, faults: Iterable[Fault] = FAULTS) -> Chapter:
    """The chapter of the report, at small sizes."""
    table = list(rows(faults, extent=BRIEF, kinds=BRIEF_KINDS, progress=progress))
    names = tuple(table[0].outcomes)
    return Chapter(
        "faults",
        "A gallery of wrong gradients: who catches what",
        _INTRODUCTION.strip(),
        tables=(
            ("Faults caught, by each way of looking", ("way", "caught", "missed", "not applicable"), totals(table)),
            (
                f"Every fault against every way: {legend(names)}",
                ("fault", *codes(names)),
                tuple((row.fault, *(outcome.result.value for outcome in row.outcomes.values())) for row in table),
            ),
        ),
    )


_INTRODUCTION = f"""
{len(FAULTS)} mistakes, each made in a shipped rule, were given to the kinds of evidence of this report, at small \
sizes, and to the gradient checkers of torch, JAX and autograd where they are installed, on their default settings. \
Float evidence and those checkers see the same rule on the same float64 problems, behind a cast to floats: problems \
that are chosen for power, with long lags that stay visible. What a checker rejects counts only where it accepts the \
true gradient. It has no say about a rule that claims to leave lags out, nor has evidence on other number systems \
about code that compares its numbers. An audit refutes a rule if any one kind of evidence does. `gradcheck faults` \
lists the mistakes, with the code of each, and `gradcheck faults --matrix` makes this table at larger sizes.
"""
