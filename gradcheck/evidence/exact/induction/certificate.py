"""Certificates: proofs as plain data, which the program `check.py` beside this file checks without gradcheck.

A polynomial is a list of terms [coefficient, [[generator, exponent], ...]]. The generators of each ring are a table:
    ["theta", m]  ["z", n]  ["a", n]  ["x", step, d]  ["y", step, k]  ["w", step]  ["u", k]
    ["function", name, [polynomials in the generators before it]]
A certificate has the network's forward equations, the identification of the rule's state, and what the rule made of it;
every derivative is left to the checker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....reference.networks import base as networks
from ....reference.networks import start
from ....reference.networks.base import RecurrentNetwork, Sizes
from ....reference.problem import Problem
from ....reference.scalars.formal import FormalField, entry_name
from ....reference.tree import flatten, leaves, path_name
from .models import GradientModel, parameter_names
from .proof import Proof, Relation, Subject, ring
from .stepping import Contribution
from .transcript import Transcript
from .trust import Unproved

FORMAT = 1
Polynomial = list[list[Any]]
"""Terms, as JSON holds them."""


def certificate(subject: Subject, sizes: Sizes, proof: Proof) -> dict[str, Any]:
    """Return a proof of the claim to be the gradient as plain data.

    Args:
        subject: What it is about.
        sizes: The size.
        proof: The proof.

    Raises:
        Unproved: It is about another claim, or the loss has no polynomial.
    """
    model = GradientModel(proof.step.problem, proof.step.formal)
    hypothesis, rule = proof.hypothesis, subject.case.rule
    return {
        "format": FORMAT,
        "rule": rule.name,
        "origin": rule.origin,
        "settings": dict(subject.settings),
        "network": subject.network.name,
        "sizes": [sizes.I, sizes.D, sizes.K],
        "weighted": subject.case.weighted,
        "parameters": parameter_names(proof.step.problem),
        "states": model.states(),
        "entries": [entry.path for entry in hypothesis.memory.entries],
        "identified": [str(term) for term in hypothesis.identified.terms],
        "forward": _forward(subject, sizes),
        "relations": [_relation(each) for each in proof.relations],
        "window": hypothesis.window,
        "first": hypothesis.first,
        "period": hypothesis.period,
        "base": _section(proof.base, model, after="start"),
        "step": _section(proof.step, model, after="z"),
    }


class _Table:
    """Generators of one ring, numbered as they are met.

    Args:
        formal: The ring.
        names: The meaning of its named generators.
    """

    def __init__(self, formal: FormalField, names: dict[str, list[Any]]) -> None:
        self._formal, self._names = formal, names
        self._symbols, self._applied = formal.symbol_places, formal.applications
        self._numbers: dict[int, int] = {}
        self.generators: list[list[Any]] = []

    def polynomial(self, value: Any) -> Polynomial:
        """Return a native polynomial as terms."""
        terms = []
        for exponents, coefficient in zip(value.monoms(), value.coeffs(), strict=True):
            powers = [[self._number(place), int(e)] for place, e in enumerate(exponents) if e]
            terms.append([str(coefficient), sorted(powers)])
        return terms

    def _number(self, place: int) -> int:
        if place not in self._numbers:
            if place in self._symbols:
                entry = self._names[self._symbols[place]]
            else:
                name, arguments = self._applied[place]
                entry = ["function", name, [self.polynomial(argument) for argument in arguments]]
            self._numbers[place] = len(self.generators)
            self.generators.append(entry)
        return self._numbers[place]


def _names(problem: Problem, model: GradientModel, numbers: str) -> dict[str, list[Any]]:
    """Return the meaning of the named generators of a problem."""
    names: dict[str, list[Any]] = {name: ["theta", m] for m, name in enumerate(parameter_names(problem))}
    for j in range(problem.T):
        names |= {f"inputs[{j},{d}]": ["x", j, d] for d in range(problem.inputs.shape[1])}
        names |= {f"targets[{j},{k}]": ["y", j, k] for k in range(problem.targets.shape[1])}
        names[f"loss_weights[{j}]"] = ["w", j]
    if numbers == "z":
        names |= {f"{label} before": ["z", n] for n, label in enumerate(model.labels())}
    else:
        names |= {name: ["a", n] for n, name in enumerate(_state_names(problem))}
    return names


def _state_names(problem: Problem) -> list[str]:
    return [
        entry_name(path_name("initial_state", path), index)
        for path, array in flatten(problem.initial_state)
        for index in _indices(array)
    ]


def _indices(array: Any) -> list[tuple[int, ...]]:
    import numpy as np

    return list(np.ndindex(*array.shape))


def _section(made: Transcript, model: GradientModel, after: str) -> dict[str, Any]:
    table = _Table(made.formal, _names(made.problem, model, after))

    def contribution(part: Contribution) -> list[Polynomial]:
        return [table.polynomial(value) for array in part.values() for value in array.reshape(-1).tolist()]

    section = {
        "before": [table.polynomial(value) for value in made.memories[0].values] if after == "z" else [],
        "after": [table.polynomial(value) for value in made.memories[-1].values],
        "contributions": [contribution(part) for part in made.contributions],
        "finishes": [contribution(part) for part in made.finishes],
    }
    return {"generators": table.generators, **section}


def _relation(each: Relation) -> list[Any]:
    if each.constant is not None:
        return ["constant", str(each.constant)]
    return ["parameter", each.parameter] if each.parameter is not None else ["alike", each.alike]


def _forward(subject: Subject, sizes: Sizes) -> dict[str, Any]:
    """Return the network's forward equations as polynomials and functions."""
    network, K = subject.network, sizes.K
    problem, formal = ring(subject, sizes, 0, 1)
    model = GradientModel(problem, formal)
    before = model.state([formal.symbol(f"{name} before") for name in model.states()])
    after = networks.step(network, problem.parameters, before, problem.inputs[0])
    u = networks.readout(network, problem.parameters, before, K)
    loss, first = _loss(network, problem, formal, K), _start(network, problem, formal)
    table = _Table(formal, _names(problem, model, "z") | {f"u[{k}]": ["u", k] for k in range(K)})
    return {
        "state": [table.polynomial(value) for value in _natives(after, formal)],
        "readout": [table.polynomial(value) for value in formal.natives(u)],
        "loss": table.polynomial(loss),
        "start": None if first is None else [table.polynomial(value) for value in first],
        "generators": table.generators,
    }


def _natives(state: Any, formal: FormalField) -> list[Any]:
    return [value for array in leaves(state) for value in formal.natives(array)]


def _loss(network: RecurrentNetwork, problem: Problem, formal: FormalField, K: int) -> Any:
    """Return the loss of a step in u and y."""
    value = networks.loss_value(network, formal.symbols("u", (K,)), problem.targets[0])
    (native,) = formal.natives(value)
    if formal.partial:
        raise Unproved("the loss takes roots, quotients or logarithms, for which certificates have no laws")
    return native


def _start(network: RecurrentNetwork, problem: Problem, formal: FormalField) -> Sequence[Any] | None:
    """Return the state before step 1, or None where it is given."""
    return None if start.is_given(network) else _natives(problem.initial_state, formal)
