"""The map of relations: which rule equals which, where, and where not, each shown as an identity of polynomials.

A relation is a rule, a claim about its result (`Exact`, `Truncated`, `Equals` of another rule) and a network. It holds
where formal evidence finds the two equal. It fails where the two are different polynomials on the network itself, and
their values at one problem are too, in ball arithmetic: polynomials in a network's functions may differ and have the
same values, since formal evidence does not know every law of those functions.
Networks whose R has a pattern (`Leaky(recurrence=...)`) say where: R = 0, R diagonal, R a ring.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..algorithms.diagonal_rtrl import DiagonalRTRL
from ..algorithms.dni import DNI
from ..algorithms.eprop import EProp, eprop_factorised
from ..algorithms.kernl import KeRNL
from ..algorithms.layered_rtrl import LayeredRTRL
from ..algorithms.online import run_online
from ..algorithms.rflo import RFLO
from ..algorithms.snap import SnAp
from ..algorithms.sparse_rtrl import SparseRTRL
from ..evidence.base import Case, Finding, Witness
from ..evidence.exact import formal
from ..evidence.target import expected, returned
from ..problems.lively import lively_problem
from ..records import Chapter, Statement, Status, Strength, Verdict
from ..reference.claims import Chunked, Claim, Equals, Exact, Truncated
from ..reference.definitions import diagonal, on_pattern
from ..reference.definitions.linearised import linearise
from ..reference.network import LRU, Leaky, Network, Stacked
from ..reference.problem import Problem
from ..reference.scalars.ball import BallField
from ..reference.scalars.formal import entry_name
from ..reference.typing import Array, Gradient
from ..rules.adapt import as_rule

LARGEST_T = 3
"""Steps of the longest sequence on which results are compared."""
BITS = 128
"""Precision of the values at one problem."""

_INTRODUCTION = """
Most rules of this field are no exact gradient, and say so; each is held to its own definition in the reports \
above. They are relatives all the same: one is another with a term left out, or is the gradient on some networks. Each \
relation here is an identity of polynomials, or the failure of one: $=$ holds for all values of parameters, inputs, \
targets and initial states at the sizes given, and $\\ne$ means that the two have different values at the problem \
shown, in ball arithmetic.

Where a network is sparse, the entries of $R$ outside its pattern are 0 in every problem, and still parameters whose \
gradient is asked for.
"""


def with_diagonal_jacobian(problem: Problem) -> Gradient:
    """Return RTRL's result where diag(J) stands for J: trace_j(t) = J_jj(t) trace_j(t-1) + dstate_j(t)/dTheta_mj."""
    made = linearise(problem)
    total = {name: np.zeros_like(array[0]) for name, array in made.own.items()}
    trace = dict(total)
    for t in range(made.T):
        unit = np.arange(len(made.errors[t]))
        kept = made.jacobians[t][unit, unit]
        for name, own in made.own.items():
            trace[name] = kept * trace[name] + own[t]
            total[name] = total[name] + made.errors[t] * trace[name]
    return made.gradient(total)


def dni_with_the_true_signal(problem: Problem) -> Gradient:
    """Return what DNI yields in blocks of two steps if its signal is the true one."""
    made = linearise(problem)
    later = [np.zeros_like(made.errors[0])]  # what later losses say of state(T), state(T-1), ...
    for t in reversed(range(made.T)):
        later.append((made.errors[t] + later[-1]) @ made.jacobians[t])
    later.reverse()
    return run_online(DNI(block=2, signal=lambda C, t, h: later[t]), problem, weighted=True)


def _no_signal(C: Array, t: int, h: Array) -> Array:
    return np.zeros_like(h)


def _other(V: Array) -> Array:
    return V[::-1] + 1


class Compared(NamedTuple):
    """The other side of a relation: a claim, and its name in the map."""

    claim: Claim
    name: str


class Place(NamedTuple):
    """A network, in words, and the shapes (I, D, K) at which results are compared on it."""

    network: Any
    words: str
    shapes: tuple[tuple[int, int, int], ...] = ((1, 1, 1), (2, 1, 1))


@dataclass(frozen=True)
class Relation:
    """Two results that are equal on a network, or differ there.

    Attributes:
        id: A short name.
        name: The rule's name in the map.
        rule: The rule.
        equal: Whether the two are equal there.
        other: What its result is compared with.
        place: Where.
        comment: Why.
    """

    id: str
    name: str
    rule: Any
    equal: bool
    other: Compared
    place: Place
    comment: str

    @property
    def title(self) -> str:
        return f"{self.name} {'=' if self.equal else '≠'} {self.other.name}"


GRADIENT, IS_RFLO = Compared(Exact(), "the gradient"), Compared(Equals(RFLO), "RFLO")
DIAGONAL_J = Compared(Equals(with_diagonal_jacobian), "RTRL with diag(J)")
AT_1, IN_TWOS = Compared(Truncated(1), "truncation at 1"), Compared(Chunked(2), "chunks of 2 steps")
EXISTING = Compared(Equals(on_pattern), "the gradient of weights that exist")
WITHIN = Compared(Equals(diagonal), "lags within layers")

THREE = ((2, 1, 1), (3, 1, 1))
PLAIN = Place(Network(), "the fully recurrent network")
DENSE = Place(Leaky(leak=0.25, biases=0), "leaky units, R dense")
RING = Place(Leaky(leak=0.25, biases=0, recurrence="ring"), "R a ring of at most 3 units", THREE)
NONE = Place(Leaky(leak=0.25, biases=0, recurrence="none"), "R = 0")
DIAGONAL = Place(Leaky(leak=0.25, biases=0, recurrence="diagonal"), "R diagonal")
POTENTIALS = Place(Leaky(leak=0.25, biases=0, state="potential"), "potentials")
_TURNING = LRU(eigenvalues="cartesian")
ONE, POLAR = Place(_TURNING, "one layer of LRUs"), Place(LRU(), "one layer, polar eigenvalues", ((1, 1, 1),))
TWO = Place(Stacked(_TURNING, _TURNING), "two layers of LRUs", ((1, 1, 1),))

RELATIONS = {
    "Masks of the influence matrix": (
        Relation("snap-1-diagonal-j", "SnAp-1", SnAp(1), True, DIAGONAL_J, DENSE, "Its mask is each unit."),
        Relation("snap-2-diagonal-j", "SnAp-2", SnAp(2), False, DIAGONAL_J, DENSE, "It sees neighbours."),
        Relation("snap-1-dense", "SnAp-1", SnAp(1), False, GRADIENT, DENSE, "Other units are left out."),
        Relation("snap-2-dense", "SnAp-2", SnAp(2), True, GRADIENT, DENSE, "One connection reaches every unit."),
        Relation("snap-2-ring", "SnAp-2", SnAp(2), False, GRADIENT, RING, "Of 3 units one is 2 connections away."),
        Relation("snap-3-ring", "SnAp-3", SnAp(3), True, GRADIENT, RING, "The diameter, 2, plus 1."),
        Relation("snap-1-apart", "SnAp-1", SnAp(1), True, GRADIENT, DIAGONAL, "No unit meets another."),
        Relation("sparse-some", "sparse RTRL", SparseRTRL, True, EXISTING, RING, "It is RTRL on the pattern."),
        Relation("sparse-all", "sparse RTRL", SparseRTRL, False, GRADIENT, RING, "Weights at 0 have a gradient too."),
        Relation("sparse-dense", "sparse RTRL", SparseRTRL, True, GRADIENT, DENSE, "Every weight exists."),
    ),
    "Eligibility traces": (
        Relation("rflo-none", "RFLO", RFLO, True, GRADIENT, NONE, "Nothing goes through R."),
        Relation("rflo-other", "RFLO, other feedback", RFLO(_other), False, GRADIENT, NONE, "The feedback is not V."),
        Relation("rflo-diagonal", "RFLO", RFLO, False, GRADIENT, DIAGONAL, "A unit's own R is left out."),
        Relation("eprop-rflo", "e-prop", EProp, True, IS_RFLO, DENSE, "The trace within a unit is the leak's."),
        Relation("eprop-rflo-plain", "e-prop", EProp, True, IS_RFLO, PLAIN, "Neither has a trace."),
        Relation("eprop-at-1", "e-prop", EProp, True, AT_1, PLAIN, "Without a leak the lag 0 alone is kept."),
        Relation("eprop-beyond-1", "e-prop", EProp, False, AT_1, DENSE, "The leak keeps longer lags."),
        Relation("eprop-total", "e-prop, total signal", eprop_factorised, True, GRADIENT, POTENTIALS,
                 "The factorisation is exact."),
        Relation("eprop-now", "e-prop", EProp, False, GRADIENT, POTENTIALS, "Later losses are left out."),
        Relation("kernl-one", "KeRNL, A = 1", KeRNL(np.eye), True, IS_RFLO, DENSE, "With the leak as its rates."),
        Relation("kernl-other", "KeRNL, A a chain", KeRNL(), False, IS_RFLO, DENSE, "A is not the identity."),
    ),
    "Synthetic gradients": (
        Relation("dni-true", "DNI, true signal", dni_with_the_true_signal, True, GRADIENT, DENSE,
                 "The block gets what later losses say."),
        Relation("dni-guess", "DNI, linear predictor", DNI(2), False, GRADIENT, DENSE, "The signal is a guess."),
        Relation("dni-none", "DNI, no signal", DNI(2, signal=_no_signal), True, IN_TWOS, DENSE,
                 "Nothing comes from later blocks."),
    ),
    "Units that meet their own past alone": (
        Relation("diagonal-one", "diagonal RTRL", DiagonalRTRL, True, GRADIENT, ONE, "J is diagonal, and complex."),
        Relation("diagonal-polar", "diagonal RTRL", DiagonalRTRL, True, GRADIENT, POLAR, "Its chain is there."),
        Relation("diagonal-two", "diagonal RTRL", LayeredRTRL, False, GRADIENT, TWO,
                 "The upper layer's memory of the lower one is left out."),
        Relation("diagonal-within", "diagonal RTRL", LayeredRTRL, True, WITHIN, TWO, "Its own definition."),
    ),
}  # fmt: skip
"""The map, by section."""


def found(relation: Relation) -> Finding:
    """Return evidence on the two results: formal, and where the polynomials differ, the values at one problem."""
    claim, network = relation.other.claim, relation.place.network
    rule = as_rule(relation.rule, claims=[claim], networks=[network], weighted=True)
    case = Case(rule, claim, network)
    finding = formal.Formal(LARGEST_T, relation.place.shapes).gather(case)
    return finding if finding.witness is None else _evaluated(case, finding, finding.witness)


def _evaluated(case: Case, finding: Finding, witness: Witness) -> Finding:
    """Return a finding of different polynomials, REFUTED where their values differ, else INCONCLUSIVE."""
    entry = _apart(case, witness)
    if entry:
        changed = dataclasses.replace(finding.evidence, statement=f"they differ at {witness.sizes}: {entry}")
    else:
        changed = dataclasses.replace(
            finding.evidence,
            status=Status.INCONCLUSIVE,
            statement=f"the polynomials differ at {witness.sizes}, and the values at one problem do not",
        )
    return dataclasses.replace(finding, evidence=changed)


def _apart(case: Case, witness: Witness) -> str:
    """Return the first entry whose balls for the two results are disjoint, with both values; empty if there is none."""
    field = BallField(BITS)
    with field.working():
        problem = lively_problem(case.network, witness.sizes, case.seed, weighted=True).over(field)
        promised = expected(case.claim, problem.copy())
        result = returned(case.rule, case.claim, problem, witness.settings)
        for name, array in promised.items():
            for index in np.ndindex(*array.shape):
                one, other = field.native(result[name][index]), field.native(array[index])
                if not one.overlaps(other):
                    values = (ball.str(4, radius=False) for ball in (one, other))
                    return f"{entry_name(name, index)} is {' and not '.join(values)}"
    return ""


def verdict(relation: Relation, finding: Finding) -> Verdict:
    """Return whether a relation is as the map says; one problem with different values is a proof, as equality is."""
    evidence, claim = finding.evidence, f"{relation.title} ({relation.place.words})"
    shown = {Status.HOLDS: True, Status.REFUTED: False}.get(evidence.status)
    if shown is None:
        return Verdict(claim, evidence.status, Strength.NONE, evidence.statement, (evidence,))
    if shown is not relation.equal:
        return Verdict(claim, Status.REFUTED, Strength.NONE, evidence.statement, (evidence,))
    strength = evidence.strength if shown else Strength.PROVED
    kept = dataclasses.replace(evidence, status=Status.HOLDS, strength=strength)
    return Verdict(claim, Status.HOLDS, strength, evidence.statement, (kept,))


def chapter(progress: Callable[[str], None] = lambda _: None) -> Chapter:
    """Return the map of relations.

    Args:
        progress: Called with a line of text before each relation.
    """
    statements, rows = [], []
    for section, relations in RELATIONS.items():
        for relation in relations:
            where = relation.place.words
            progress(f"{relation.name} and {relation.other.name}, {where}")
            judged = verdict(relation, found(relation))
            printed = f"{relation.title}: {where}. {relation.comment}"
            statements.append(Statement(f"relation-{relation.id}", section, relation.title, printed, judged))
            sign = "=" if relation.equal else "≠"
            rows.append((relation.name, sign, relation.other.name, where, judged.word))
    table = ("Which rule equals which", ("rule", "", "compared with", "where", "shown"), tuple(rows))
    return Chapter("relations", "Which rule equals which", _INTRODUCTION.strip(), tuple(statements), (), (table,))
