"""Formal evidence: the rule's result and SymPy's gradient as polynomials, equal or not.

Equality holds for every value of parameters, inputs, targets, initial state (and loss weights, if the rule reads
them). The widest family of networks is tried first: f, g and L all undefined; then f undefined with the network's own
output and loss; then the network itself, whose activation keeps its own law (tanh' = 1 - tanh^2).
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...records import Covers, Evidence, Status, Strength
from ...reference.claims import Equals, Exact, LagClaim
from ...reference.errors import GradcheckError, UnsupportedOperation
from ...reference.networks import start
from ...reference.networks.base import Capabilities, RecurrentNetwork, Sizes, ask
from ...reference.networks.domains import INPUTS, lying_apart
from ...reference.networks.headed import HeadedNetwork
from ...reference.networks.sizes import fitting
from ...reference.networks.state import state_of
from ...reference.ring import FormalReference, by_entry
from ...reference.scalars.formal import entry_name, natives
from ...reference.scalars.laws import TooLarge
from ...reference.wanted import DEFAULT, Of
from ...rules.adapt import WrongResult, wanted_by
from ...rules.failures import KeptNumbers, RuleFailed, chain
from ...store import cache
from ..base import (
    Case,
    Finding,
    Kind,
    Piece,
    PieceData,
    Plan,
    Progress,
    Witness,
    not_run,
    refused,
    settled,
    total,
)
from ..budget import FORMAL_SECONDS, Budget
from ..sizes import place, possible, sizes_text, vacuous
from ..target import TargetFailed, expected, returned, to_plant

KIND = "formal"
LARGEST_T = 4
SHAPES = tuple((units, inputs, outputs) for units in (1, 2, 3) for inputs in (1, 2) for outputs in (1, 2))
"""The shapes (I, D, K) of every proof."""
MOST_TERMS = 1_000_000
"""Monomials of a gradient, above which a size is left out: they take about a gigabyte, and the rule's as much."""
MOST_KEPT = 100_000
"""Monomials of a ring, above which it is not kept beside others."""
FURTHER_SHAPES = ((1, 1, 1), (2, 1, 1), (2, 2, 2), (3, 1, 1))
"""The shapes (I, D, K) of proofs beyond `LARGEST_T`."""


_REFERENCES: dict[tuple[Hashable, Sizes, bool, Of, int], tuple[FormalReference, int]] = {}
DRAWN = 64
"""The number of generators for the noise of a rule."""


def reference(
    network: RecurrentNetwork, sizes: Sizes, weighted: bool, T: int | None = None, of: Of = DEFAULT, spare: int = 0
) -> FormalReference:
    """Return SymPy's side of the proofs at these sizes, each length derived once per process.

    A rule that evaluates f where the network does not leaves generators of its own in the ring. Such a ring is not
    used again, so that a rule does not use up the generators of the next one.

    Args:
        network: The network, or one that stands for a family.
        sizes: Sizes of the longest problem.
        weighted: Include loss weights among the generators.
        T: The longest problem that is derived now; that of `sizes` if None.
        of: The kinds of arrays that the gradient is wanted of.
        spare: The number of generators for noise.
    """
    key = (state_of(network), sizes, weighted, of, spare)
    made, generators = _REFERENCES.get(key, (None, 0))
    if made is None or made.field.used > generators:
        for other in [key for key, (kept, _) in _REFERENCES.items() if kept.monomials > MOST_KEPT]:
            del _REFERENCES[other]
        made = FormalReference(network, sizes, weighted=weighted, store=cache.store(), of=of, spare=spare)
    made.gradient(T or sizes.T, Exact())
    made.problem(T or sizes.T)
    _REFERENCES[key] = made, made.field.used
    return made


def families(network: RecurrentNetwork) -> list[tuple[str, RecurrentNetwork]]:
    """List the families of networks that a proof may cover.

    Returns:
        A description of each family with the network that stands for it, from the widest to the network itself.
    """
    undefined = ask(network, Capabilities.undefined)
    own, head = f"the network {network.name}", f"the output and loss of {network.name}"
    if undefined is None:
        return [(own, network)]
    if isinstance(network, HeadedNetwork):
        head = f"{network.head.output.name} output and {network.head.loss.name.replace('_', ' ')}"
        own = f"{network.activation.name}, with {head}"
    return [
        ("every differentiable activation, every output and every loss", undefined),
        (f"every differentiable activation, with {head}", ask(network, Capabilities.undefined, head=False)),
        (own, network),
    ]


@dataclass(frozen=True)
class Formal(Kind):
    """A proof at every T up to `largest_T` and every shape, for every setting of the rule.

    If the budget does not afford them all, as for a network of many operations, the scope names the sizes reached.

    Attributes:
        largest_T: The longest sequence.
        shapes: The shapes (I, D, K).
        budget: Time for all sizes together; the default one if None.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.PROVED

    largest_T: int = LARGEST_T
    shapes: Sequence[tuple[int, int, int]] = SHAPES
    budget: Budget | None = None

    def plan(self, case: Case) -> Plan:
        largest_T = self.largest_T
        shapes = [(s.I, s.D, s.K) for s in possible(case.network, (Sizes(1, *shape) for shape in self.shapes))]
        if not isinstance(case.claim, (LagClaim, Equals)):
            return settled(KIND, not_run(KIND, f"the claim {case.claim} is no identity"))
        if nothing := vacuous(case.claim, [Sizes(largest_T, 1, 1, 1)]):
            return settled(KIND, not_run(KIND, nothing))

        def piece(T: int, shape: tuple[int, int, int], most: int) -> Piece:
            size = fitting(case.network, Sizes(T, *shape))
            return Piece(str(size), lambda before, progress: _compare(case, size, most, before, progress), size)

        def further(number: int) -> Piece:
            """Return a piece with a longer sequence; longer ones have fewer shapes."""
            T, left = largest_T + 1, number
            while left >= (several := max(1, 4 - (T - largest_T) // 2)):
                T, left = T + 1, left - several
            return piece(T, FURTHER_SHAPES[left], T)

        pieces = [piece(T, shape, largest_T) for shape in shapes for T in range(1, largest_T + 1)]
        conclude = functools.partial(_conclude, case, shapes, largest_T)
        return Plan(KIND, pieces, conclude, self.budget or Budget(FORMAL_SECONDS), cumulative=True, further=further)


def _compare(
    case: Case, size: Sizes, largest_T: int, before: Sequence[PieceData], progress: Progress
) -> PieceData | Finding:
    """Find the widest family of networks for which the rule is right at this size and at those before it."""
    skipped = [Sizes(*each["size"]) for each in before if each.get("left_out")]
    beyond = any(s.T <= size.T and s.I <= size.I and s.D <= size.D and s.K <= size.K for s in skipped)
    if beyond or _terms_predicted(size, before) > MOST_TERMS:
        return {"size": dataclasses.astuple(size), "left_out": True}
    before = [each for each in before if not each.get("left_out")]
    smaller = f", PROVED at {len(before)} smaller size{'s' * (len(before) > 1)}" if before else ""
    tried = families(case.network)
    # One ring serves every T, unless the budget may end before the largest.
    shared = ask(case.network, Capabilities.undefined) is not None
    largest = Sizes(largest_T if shared else size.T, size.I, size.D, size.K)
    seen: Finding | None = None
    for number in range(max((each["family"] for each in before), default=0), len(tried)):
        _, network = tried[number]
        tally = _Tally()
        progress(f"{size}{smaller}")  # deriving may take a while
        try:
            spare = DRAWN if case.rule.averaged else 0
            ref = reference(network, largest, case.weighted, size.T, wanted_by(case.claim), spare)
        except UnsupportedOperation as error:
            seen = refused(KIND, "polynomials", error, who="the network")
            continue
        except TooLarge:
            return {"size": dataclasses.astuple(size), "left_out": True}
        except GradcheckError as error:
            seen = not_run(KIND, f"no formal reference: {error}")
            continue
        try:
            seen = _compare_size(case, ref, size.T, tally, lambda text: progress(text + smaller))
        except TooLarge:
            return {"size": dataclasses.astuple(size), "left_out": True}
        except UnsupportedOperation as error:
            seen = refused(KIND, "polynomials", error)
        except (RuleFailed, WrongResult) as error:
            if any(isinstance(each, TooLarge) for each in chain(error)):
                return {"size": dataclasses.astuple(size), "left_out": True}
            seen = not_run(KIND, f"on polynomials {error}")
        except (TargetFailed, KeptNumbers):
            raise
        except GradcheckError as error:
            seen = not_run(KIND, f"no formal reference: {error}")
        if seen is None:
            planted = [tally.planted, tally.rejected]
            shown = {"size": dataclasses.astuple(size), "family": number, "partial": ref.field.partial}
            return {**shown, "identities": tally.identities, "planted": planted, "terms": tally.terms}
    assert seen is not None  # only the network itself may refute the rule: the claim promises no wider family
    return seen


def _terms_predicted(size: Sizes, before: Sequence[PieceData]) -> float:
    """Predict the monomials of the gradient from shorter sequences of the same shape, which grow geometrically."""
    alike = {each["size"][0]: each for each in before if tuple(each["size"][1:]) == dataclasses.astuple(size)[1:]}
    last, earlier = alike.get(size.T - 1), alike.get(size.T - 2)
    if last is None or earlier is None:
        return 0.0
    if last.get("left_out"):
        return math.inf
    return 1.3 * float(last["terms"]) ** 2 / max(1.0, float(earlier["terms"]))


def _conclude(
    case: Case, shapes: list[tuple[int, int, int]], largest_T: int, shown: Sequence[PieceData], budget: Budget
) -> Finding:
    if not shown:
        return not_run(KIND, "SymPy's derivative takes too long here")
    tried, shown = shown, [each for each in shown if not each.get("left_out")]
    if not shown:
        return not_run(KIND, "the polynomials have too many terms, even at the smallest sizes")
    if nothing := vacuous(case.claim, [Sizes(*each["size"]) for each in shown]):
        return not_run(KIND, nothing)
    skipped = len(tried) > len(shown)
    family = max(each["family"] for each in shown)
    holds_for = families(case.network)[family][0]
    general = family == 0 and ask(case.network, Capabilities.undefined) is not None
    reached: dict[tuple[int, int, int], int] = {}
    more = []
    for each in shown:
        T, I, D, K = each["size"]
        if T <= largest_T:
            reached[I, D, K] = max(T, reached.get((I, D, K), 0))
        else:
            more.append(Sizes(T, I, D, K))
    every = " and every setting there" if case.rule.declaration.settings else ""
    apart = lying_apart(case.network)
    free = [
        "parameters",
        *([] if INPUTS in apart else ["inputs"]),
        "targets",
        *(["loss weights"] if case.weighted else []),
        *(["initial state"] if start.is_given(case.network) else []),
    ]
    at = f", at one choice of {' and '.join(apart)}" if apart else ""
    where = ", wherever the roots and quotients are defined" if any(each["partial"] for each in shown) else ""
    text = _reached_text(reached, shapes, largest_T, _LARGE if skipped else _SLOW)
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.SUPPORTED if apart else Strength.PROVED,
            f"equal as polynomials, hence for all values of {', '.join(free[:-1])} and {free[-1]}, for "
            f"{holds_for}{where}{at}",
            scope="; ".join([text, *([sizes_text(more)] if more else [])]) + every,
            blind="code that takes another path at larger sizes",
            details={"identities": sum(each["identities"] for each in shown)},
            covers=Covers.KIND if general else Covers.NETWORK,
        ),
        planted=total(each["planted"] for each in shown),
    )


@dataclass
class _Tally:
    """Numbers of entries that are equal, of their monomials, and of planted faults given and rejected."""

    identities: int = 0
    terms: int = 0
    planted: int = 0
    rejected: int = 0


def _compare_size(case: Case, ref: FormalReference, T: int, tally: _Tally, progress: Progress) -> Finding | None:
    """Compare at this T for every setting. Return a finding if the polynomials differ, else None."""
    problem, known = ref.problem(T), ref.field.functions
    for settings in case.rule.settings(T):
        progress(place(problem.sizes, settings))
        claim = case.claim.bind(settings)
        if isinstance(claim, LagClaim):
            promised = ref.gradient(T, claim)
        else:
            promised = {n: natives(ref.field, a) for n, a in expected(claim, problem).items()}
        result = returned(case.rule, claim, problem.copy(), settings)
        off = _first_difference(ref, promised, {n: natives(ref.field, a) for n, a in result.items()})
        if off is not None and ref.field.functions > known:
            return not_run(
                KIND,
                "the rule evaluates functions where the network does not, and polynomials do not know all their laws",
            )
        if off is not None:
            wrong = f"{off[0]} is off by `{ref.field.show(off[1], 4)}`"
            return Finding(
                Evidence(
                    KIND,
                    Status.REFUTED,
                    Strength.NONE,
                    f"the polynomials differ at {place(problem.sizes, settings)}: {wrong}",
                ),
                Witness(case.network, problem.sizes, settings, wrong),
            )
        tally.identities += sum(a.size for a in result.values())
        tally.terms = max(tally.terms, sum(len(p) for a in promised.values() for p in a.reshape(-1).tolist()))
        if isinstance(claim, LagClaim):
            tally.planted += 1
            term = ref.lag(T, *to_plant(claim, T))
            fault = {n: by_entry(operator.sub, a, term[n]) for n, a in promised.items()}
            tally.rejected += _first_difference(ref, promised, fault) is not None
    return None


_SLOW, _LARGE = "SymPy takes too long here", "polynomials have too many terms here"


def _reached_text(
    reached: dict[tuple[int, int, int], int], shapes: list[tuple[int, int, int]], largest_T: int, why: str = _SLOW
) -> str:
    if all(reached.get(shape) == largest_T for shape in shapes):
        return f"every T <= {largest_T}" + shape_text(shapes)
    lengths = sorted(set(reached.values()), reverse=True)
    alike = {T: [str(shape) for shape in reached if reached[shape] == T] for T in lengths}
    parts = [f"T <= {T} at (I, D, K) = {', '.join(shapes)}" for T, shapes in alike.items()]
    return "; ".join(parts) + f" ({why} for more)"


def shape_text(shapes: list[tuple[int, int, int]]) -> str:
    """Return shapes as part of a sentence, which follows what holds for the lengths."""
    most = [max(s[i] for s in shapes) for i in range(3)]
    if len(shapes) == most[0] * most[1] * most[2]:
        return f", I <= {most[0]}, D <= {most[1]}, K <= {most[2]}"
    return "; (I, D, K) = " + ", ".join(map(str, shapes))


def _first_difference(ref: FormalReference, promised: dict[str, Any], result: dict[str, Any]) -> tuple[str, Any] | None:
    """Return the first entry that is not the promised polynomial, with the difference; None if there is none."""
    for name, array in promised.items():
        promises, results = array.reshape(-1).tolist(), result[name].reshape(-1).tolist()
        for at, (want, got) in enumerate(zip(promises, results, strict=True)):
            if want != got and not ref.field.equal(want, got):
                return entry_name(name, map(int, np.unravel_index(at, array.shape))), ref.field.simplified(got - want)
    return None
