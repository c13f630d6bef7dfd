"""Formal evidence: the rule's result and SymPy's gradient as polynomials, equal or not.

Equality holds for every value of parameters, inputs, targets, initial state (and loss weights, if the
rule reads them). The widest family of networks for which it holds is looked for first: f, g and L all
undefined; then f undefined with the network's own output and loss; then the network as it is, whose
activation keeps its own law (tanh' = 1 - tanh^2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from ..reference.claims import Equals, LagClaim
from ..reference.errors import GradcheckError, UnsupportedOperation
from ..reference.network import RecurrentNetwork, Sizes
from ..reference.scalars.formal import GeneratorsExhausted, entry_name
from ..reference.symbolic import FormalReference
from ..results import RuleFailed, run
from ..verdicts import Evidence, Status, Strength
from . import Case, Finding, Witness, not_run, place
from .target import expected, longest_kept

LARGEST_T = 4
SHAPES = tuple((units, inputs, outputs) for units in (1, 2, 3) for inputs in (1, 2) for outputs in (1, 2))
"""(I, D, K) of every proof."""


@lru_cache(maxsize=64)
def reference(network: RecurrentNetwork, sizes: Sizes, weighted: bool) -> FormalReference:
    """SymPy's side of the proofs at these sizes, made once per process."""
    return FormalReference(network, sizes, weighted=weighted)


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
    progress: Callable[[str], None] = lambda _: None,
) -> Finding:
    """Prove the case at every T up to `largest_T` and every (I, D, K) of `shapes`, for every setting."""
    if not isinstance(case.claim, (LagClaim, Equals)):
        return not_run("formal", f"the claim {case.claim} is no identity")
    shapes = list(shapes)
    seen: Finding | None = None
    for holds_for, network in families(case.network):
        try:
            seen = _judge_family(case, network, holds_for, largest_T, shapes, progress)
        except UnsupportedOperation as error:
            seen = seen or not_run("formal", f"the rule does not run on polynomials: {error}")
            continue
        except GradcheckError as error:
            if isinstance(error, RuleFailed):
                return not_run("formal", f"on polynomials {error}")
            seen = seen or not_run("formal", f"no formal reference: {error}")
            continue
        if seen.evidence.status is Status.HOLDS:
            return seen
    assert seen is not None
    return seen


def _judge_family(
    case: Case,
    network: RecurrentNetwork,
    holds_for: str,
    largest_T: int,
    shapes: list[Any],
    progress: Callable[[str], None],
) -> Finding:
    identities = planted = rejected = 0
    for units, inputs, outputs in shapes:
        ref = reference(network, Sizes(largest_T, units, inputs, outputs), case.weighted)
        for T in range(1, largest_T + 1):
            problem = ref.problem(T)
            for settings in case.rule.settings(T):
                progress(place(problem.sizes, settings))
                claim = case.claim.bind(settings)
                if isinstance(claim, LagClaim):
                    promised = ref.gradient(T, claim)
                else:
                    promised = {n: _native(ref, a) for n, a in expected(claim, problem).items()}
                try:
                    result = run(case.rule, problem.copy(), settings).gradient
                except GeneratorsExhausted:
                    reference.cache_clear()
                    return not_run("formal", "the rule evaluates far more distinct functions than the network has")
                wrong = _first_difference(ref, promised, result)
                if wrong is not None:
                    detail = f"at {place(problem.sizes, settings)}: {wrong}"
                    return Finding(
                        Evidence("formal", Status.REFUTED, Strength.NONE, f"the polynomials differ {detail}"),
                        Witness(case.network, problem.sizes, settings, wrong),
                    )
                identities += sum(a.size for a in result.values())
                if isinstance(claim, LagClaim):
                    planted += 1
                    term = ref.term(T, longest_kept(claim, T))
                    fault = {n: a - term[n] for n, a in promised.items()}
                    rejected += _first_difference(ref, promised, fault) is not None
    sizes = f"every T <= {largest_T}" + _shape_text(shapes)
    every = " and every setting" if case.rule.declaration.settings else ""
    weights = ", loss weights" if case.weighted else ""
    return Finding(
        Evidence(
            "formal",
            Status.HOLDS,
            Strength.PROVED,
            f"equal as polynomials, hence for all values of parameters, inputs, targets{weights} and initial state, "
            f"for {holds_for}",
            scope=sizes + every,
            blind="code that takes another path at larger sizes",
            details={"identities": identities},
        ),
        planted=(planted, rejected),
    )


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
