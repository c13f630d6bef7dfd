"""Formal evidence: the rule's result and SymPy's gradient as polynomials, equal or not.

Equality holds for every value of parameters, inputs, targets, initial state (and loss weights, if the
rule reads them). The widest family of networks for which it holds is looked for first: f, g and L all
undefined; then f undefined with the network's own output and loss; then the network as it is, whose
activation keeps its own law (tanh' = 1 - tanh^2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..budget import FORMAL_SECONDS, Budget
from ..reference.claims import Equals, Exact, LagClaim
from ..reference.errors import GradcheckError, UnsupportedOperation
from ..reference.network import RecurrentNetwork, Sizes
from ..reference.scalars.formal import entry_name
from ..results import RuleFailed, WrongResult, run
from ..verdicts import Evidence, Status, Strength
from . import Case, Finding, Witness, not_run, place, vacuous
from .target import TargetFailed, expected, longest_kept

if TYPE_CHECKING:
    from ..reference.symbolic import FormalReference

LARGEST_T = 4
SHAPES = tuple((units, inputs, outputs) for units in (1, 2, 3) for inputs in (1, 2) for outputs in (1, 2))
"""(I, D, K) of every proof."""


_REFERENCES: dict[tuple[RecurrentNetwork, Sizes, bool], tuple[FormalReference, int]] = {}
_ASKED_FIRST: list[Callable[[RecurrentNetwork, Sizes, bool], None]] = []


def derived_elsewhere(ask: Callable[[RecurrentNetwork, Sizes, bool], None]) -> None:
    """Call `ask` before a reference is made in this process, which will end: it may raise to have it made before."""
    _ASKED_FIRST.append(ask)


def reference(network: RecurrentNetwork, sizes: Sizes, weighted: bool) -> FormalReference:
    """SymPy's side of the proofs at these sizes, made once per process.

    A rule that evaluates f where the network does not leaves generators of its own behind; such a ring is
    made anew, so that no rule is judged in one that another has used up.
    """
    key = (network, sizes, weighted)
    made, generators = _REFERENCES.get(key, (None, 0))
    for ask in _ASKED_FIRST if made is None else ():
        ask(*key)
    if made is None or len(made.field.labels) > generators:
        from ..reference.symbolic import FormalReference  # SymPy is not needed before

        made = FormalReference(network, sizes, weighted=weighted)
        made.gradient(sizes.T, Exact())
        made.problem(sizes.T)
        _REFERENCES[key] = made, len(made.field.labels)
    return made


def families(network: RecurrentNetwork) -> list[tuple[str, RecurrentNetwork]]:
    """(for what it holds, network) from the widest family to the network itself."""
    undefined = getattr(network, "undefined", None)
    own = str(network)
    if undefined is None:
        return [(f"the network {network.name}", network)]
    activation, head = own.split(", ", 1)
    return [
        ("every differentiable activation, every output and every loss", undefined()),
        (f"every differentiable activation, with {head.replace(', ', ' and ')}", undefined(head=False)),
        (f"{activation}, with {head.replace(', ', ' and ')}", network),
    ]


def judge(
    case: Case,
    *,
    largest_T: int = LARGEST_T,
    shapes: Iterable[tuple[int, int, int]] = SHAPES,
    budget: Budget | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Finding:
    """Prove the case at every T up to `largest_T` and every (I, D, K) of `shapes`, for every setting.

    Where the budget does not afford them all, which a network of many operations may cause, the scope says
    how far the proof went.
    """
    if not isinstance(case.claim, (LagClaim, Equals)):
        return not_run("formal", f"the claim {case.claim} is no identity")
    if nothing := vacuous(case.claim, [Sizes(largest_T, 1, 1, 1)]):
        return not_run("formal", nothing)
    budget, shapes = budget or Budget(FORMAL_SECONDS), list(shapes)
    tried = families(case.network)
    for holds_for, network in tried:
        promised = network == tried[-1][1]
        try:
            seen = _judge_family(case, network, holds_for, largest_T, shapes, budget, progress)
        except UnsupportedOperation as error:
            seen = not_run("formal", f"the rule does not run on polynomials: {error}")
        except (RuleFailed, WrongResult) as error:
            seen = not_run("formal", f"on polynomials {error}")
        except TargetFailed:
            raise
        except GradcheckError as error:
            seen = not_run("formal", f"no formal reference: {error}")
        # A wider family than the rule was promised can speak for it, never against it.
        if promised or seen.evidence.status is Status.HOLDS:
            return seen
    raise AssertionError("the last family is the network itself")


def _judge_family(
    case: Case,
    network: RecurrentNetwork,
    holds_for: str,
    largest_T: int,
    shapes: list[tuple[int, int, int]],
    budget: Budget,
    progress: Callable[[str], None],
) -> Finding:
    tally = _Tally()
    reached: dict[tuple[int, int, int], int] = {}

    def told(text: str) -> None:
        smaller = sum(reached.values())
        progress(f"{text}, PROVED at {smaller} smaller size{'s' * (smaller > 1)}" if smaller else text)

    for shape in shapes:
        for T in range(1, largest_T + 1):
            if not budget.affords_next():
                break
            size = Sizes(T, *shape)
            with budget.timed(size):
                # One ring for every T, unless time may end before the largest.
                largest = Sizes(largest_T if hasattr(network, "undefined") else T, *shape)
                against = _judge_size(case, reference(network, largest, case.weighted), T, tally, told)
            if against is not None:
                return against
            reached[shape] = T
    if not reached:
        return not_run("formal", "SymPy's derivative takes too long here")
    every = " and every setting there" if case.rule.declaration.settings else ""
    weights = ", loss weights" if case.weighted else ""
    return Finding(
        Evidence(
            "formal",
            Status.HOLDS,
            Strength.PROVED,
            f"equal as polynomials, hence for all values of parameters, inputs, targets{weights} and initial state, "
            f"for {holds_for}",
            scope=_reached_text(reached, shapes, largest_T) + every,
            blind="code that takes another path at larger sizes",
            details={"identities": tally.identities},
        ),
        planted=(tally.planted, tally.rejected),
    )


@dataclass
class _Tally:
    """Entries shown equal; planted faults given and rejected."""

    identities: int = 0
    planted: int = 0
    rejected: int = 0


def _judge_size(
    case: Case, ref: FormalReference, T: int, tally: _Tally, progress: Callable[[str], None]
) -> Finding | None:
    """Compare at this T for every setting; a finding where the polynomials differ."""
    problem, known = ref.problem(T), len(ref.field.labels)
    for settings in case.rule.settings(T):
        progress(place(problem.sizes, settings))
        claim = case.claim.bind(settings)
        if isinstance(claim, LagClaim):
            promised = ref.gradient(T, claim)
        else:
            promised = {n: _native(ref, a) for n, a in expected(claim, problem).items()}
        result = run(case.rule, problem.copy(), settings).gradient
        wrong = _first_difference(ref, promised, result)
        if wrong is not None and len(ref.field.labels) > known:
            return not_run(
                "formal",
                "the rule evaluates functions where the network does not, and polynomials do not know all their laws",
            )
        if wrong is not None:
            return Finding(
                Evidence(
                    "formal",
                    Status.REFUTED,
                    Strength.NONE,
                    f"the polynomials differ at {place(problem.sizes, settings)}: {wrong}",
                ),
                Witness(case.network, problem.sizes, settings, wrong),
            )
        tally.identities += sum(a.size for a in result.values())
        if isinstance(claim, LagClaim):
            tally.planted += 1
            term = ref.term(T, longest_kept(claim, T))
            fault = {n: a - term[n] for n, a in promised.items()}
            tally.rejected += _first_difference(ref, promised, fault) is not None
    return None


def _reached_text(reached: dict[tuple[int, int, int], int], shapes: list[tuple[int, int, int]], largest_T: int) -> str:
    if all(reached.get(shape) == largest_T for shape in shapes):
        return f"every T <= {largest_T}" + _shape_text(shapes)
    lengths = sorted(set(reached.values()), reverse=True)
    alike = {T: [str(shape) for shape in reached if reached[shape] == T] for T in lengths}
    parts = [f"T <= {T} at (I, D, K) = {', '.join(shapes)}" for T, shapes in alike.items()]
    return "; ".join(parts) + " (SymPy takes too long here for more)"


def _shape_text(shapes: list[tuple[int, int, int]]) -> str:
    most = [max(s[i] for s in shapes) for i in range(3)]
    if len(shapes) == most[0] * most[1] * most[2]:
        return f", I <= {most[0]}, D <= {most[1]}, K <= {most[2]}"
    return "; (I, D, K) = " + ", ".join(map(str, shapes))


def _native(ref: FormalReference, array: Any) -> Any:
    out = np.empty(np.shape(array), dtype=object)
    out.reshape(-1)[:] = ref.field.natives(array)
    return out


def _first_difference(ref: FormalReference, promised: Any, result: Any) -> str | None:
    for name in promised:
        for index in np.ndindex(*promised[name].shape):
            element = np.asarray(result[name])[index]
            value = element if type(element) is type(promised[name][index]) else ref.field.native(element)
            gap = value - promised[name][index]
            if gap != 0:
                return f"{entry_name(name, index)} is off by {ref.field.show(gap, 4)}"
    return None
