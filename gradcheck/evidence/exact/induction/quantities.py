"""Quantities of a model by name, on any number system, and the identification of a rule's memory with them.

The same names in the same order are made on residues, where a memory's numbers are recognised by their values at
several times, and on polynomials, where the identification is then proved. A wrong identification proves nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from ....reference import lags
from ....reference.functions import DERIVATIVES
from ....reference.networks import base as networks
from ....reference.scalars.base import Field
from ....reference.scalars.dual import DualField
from ....reference.tape import vjp
from ....reference.tree import leaves
from ....reference.typing import Array
from .models import GradientModel, Model, Numbers, parameter_names, parameter_values

Named = dict[str, Any]
"""Name to a native value."""
MOST_PRODUCTS = 40_000
"""Products of a parameter and another quantity that are tried for the numbers that are no quantity by themselves."""
_LARGEST = 2**12
"""Largest numerator and denominator of a number that counts as a constant."""


class Inputs(NamedTuple):
    """The inputs of a step: x (D,), y (K,) and the loss weight."""

    x: Array
    y: Array
    weight: Any


@dataclass(frozen=True)
class Term:
    """A quantity, a constant times it, or a parameter times it.

    Attributes:
        name: The name of the quantity; empty for a constant.
        parameter: The name of the parameter; empty for none.
        factor: The constant, or the sign.
    """

    name: str = ""
    parameter: str = ""
    factor: Fraction = Fraction(1)

    def __str__(self) -> str:
        named = " ".join(filter(None, (self.parameter, self.name)))
        return named if self.factor == 1 and named else f"{self.factor} {named}".strip()

    def value(self, named: Named, field: Field) -> Any:
        """Return its value, where the quantities have these."""
        made = field.convert(self.factor)
        for name in filter(None, (self.name, self.parameter)):
            made = made * named[name]
        return made


def quantities(model: Model, numbers: Numbers, steps: Sequence[Inputs]) -> Named:
    """Return the quantities at the end of some steps, the plainest first.

    Args:
        model: The model.
        numbers: What it carries before the first of the steps.
        steps: What they read; none for the model's own numbers alone.
    """
    made = dict(zip(parameter_names(model.problem), parameter_values(model.problem, model.field), strict=True))
    found: list[Named] = [dict(zip(model.labels(), numbers, strict=True))]
    for each in steps:
        with _recorded(model.field) as calls:
            after, contribution = model.advance(numbers, *each)
        inner = _within(model, numbers, each, calls)
        shares = (value for array in contribution.values() for value in array.reshape(-1).tolist())
        inner.update({f"dL/d{name}": value for name, value in zip(parameter_names(model.problem), shares, strict=True)})
        numbers = after
        found.append({**dict(zip(model.labels(), numbers, strict=True)), **inner})
    for back, named in enumerate(reversed(found)):
        at = "(t)" if back == 0 else f"(t-{back})"
        made.update({name + at: value for name, value in named.items()})
    return made


def _within(model: Model, numbers: Numbers, step: Inputs, calls: list[tuple[str, Any, Any]]) -> Named:
    """Return what a step reads and works out on its way."""
    field, made = model.field, dict[str, Any]()
    for name, array in (("x", step.x), ("y", step.y), ("w", step.weight)):
        natives = field.natives(array)
        made.update({f"{name}[{n}]": value for n, value in enumerate(natives)})
    for n, (name, argument, value) in enumerate(calls):
        made[f"s{n}"], made[f"{name}{n}"] = argument, value
    if isinstance(model, GradientModel):
        made.update(_of_gradient(model, numbers, step))
    return made


def _of_gradient(model: GradientModel, numbers: Numbers, step: Inputs) -> Named:
    """Return errors at the output, pulled back, and the total derivatives of all functions' arguments and values."""
    network, parameters, field = model.problem.network, model.problem.parameters, model.field
    state = networks.step(network, parameters, model.state(numbers), step.x)
    u, pull = vjp(lambda a: networks.readout(network, parameters, a, len(step.y)), state)
    error = step.weight * lags.output_error(network, u, step.y)
    made = {f"u[{n}]": value for n, value in enumerate(field.natives(u))}
    made.update({f"e[{n}]": value for n, value in enumerate(field.natives(error))})
    entering = [value for array in leaves(pull(error)[0]) for value in field.natives(array)]
    made.update({f"dL/d{n}": value for n, value in zip(model.states(), entering, strict=True)})
    slopes: Named = {}
    rows = model.influence(numbers)
    for m, parameter in enumerate(parameter_names(model.problem)):
        for n, (argument, value, slope) in enumerate(_derivatives(model, numbers, [row[m] for row in rows], m, step)):
            made[f"ds{n}/d{parameter}"], made[f"dv{n}/d{parameter}"] = argument, value
            slopes[f"slope{n}"] = slope
    made.update(slopes)
    for name, slope in slopes.items():
        made.update({f"{name} dL/d{n}": slope * e for n, e in zip(model.states(), entering, strict=True)})
    return made


class _Noting(DualField):
    """Dual numbers that note where functions are taken."""

    def __init__(self, inner: Field) -> None:
        super().__init__(inner)
        self.noted: list[tuple[Any, Any, Any]] = []

    def function(self, name: str, value: Any) -> Any:
        result = super().function(name, value)
        slope = DERIVATIVES[name](value.primal, result.primal)
        self.noted.append((value.tangent.value, result.tangent.value, slope.value))
        return result


def _derivatives(
    model: GradientModel, numbers: Numbers, column: Numbers, m: int, step: Inputs
) -> list[tuple[Any, Any, Any]]:
    """Return, for each function that a step takes, the derivatives of its argument and value by parameter m, and f'."""
    field = model.field
    dual = _Noting(field)
    parameters, at = {}, 0
    for name, array in model.problem.parameters.items():
        tangent = [field.convert(int(at + n == m)) for n in range(array.size)]
        parameters[name] = dual.join(array, field.array(tangent, array.shape))
        at += array.size
    moved = model.state([*column, *([field.convert(0)] * (model.N * model.P))])
    state = _joined(dual, model.state(numbers), moved)
    model.problem.network.step(parameters, state, dual.join(step.x, np.zeros_like(step.x)))
    return dual.noted


def _joined(dual: DualField, primal: Any, tangent: Any) -> Any:
    from ....reference.tree import map_nest

    return map_nest(dual.join, primal, tangent)


@contextlib.contextmanager
def _recorded(field: Field) -> Iterator[list[tuple[str, Any, Any]]]:
    """Note the functions that are taken in this context: name, argument and value, each once."""
    calls: list[tuple[str, Any, Any]] = []
    function, depth = field.function, 0

    def noting(name: str, value: Any) -> Any:
        nonlocal depth
        depth += 1
        try:
            result = function(name, value)
        finally:
            depth -= 1
        if not depth:
            calls.append((name, value, result))
        return result

    field.function = noting  # type: ignore[method-assign]
    try:
        yield calls
    finally:
        del field.function


@dataclass(frozen=True)
class Identified:
    """Terms of a memory's numbers, in order, and the places of those that are none."""

    terms: tuple[Term, ...]
    unknown: tuple[str, ...] = ()


def identify(paths: Sequence[str], values: Sequence[Numbers], named: Sequence[Named], prime: int) -> Identified:
    """Recognise numbers by their residues at several times.

    Args:
        paths: The places of the numbers.
        values: The numbers, by time.
        named: The quantities, by time.
        prime: The prime.
    """
    known = _keys(named)
    terms: list[Term | None] = []
    for series in zip(*values, strict=True):
        key = tuple(map(int, series))
        terms.append(_constant(key, prime) or known.get(key) or _negated(known, key, prime))
    left = {tuple(map(int, s)) for s, term in zip(zip(*values, strict=True), terms, strict=True) if term is None}
    found = _products(left, named, prime) if left else {}
    completed = [
        term or found.get(tuple(map(int, series)))
        for term, series in zip(terms, zip(*values, strict=True), strict=True)
    ]
    unknown = tuple(path for path, term in zip(paths, completed, strict=True) if term is None)
    return Identified(tuple(term for term in completed if term is not None), unknown)


def _keys(named: Sequence[Named]) -> dict[tuple[int, ...], Term]:
    known: dict[tuple[int, ...], Term] = {}
    for name in named[0]:
        known.setdefault(tuple(int(each[name]) for each in named), Term(name))
    return known


def _negated(known: dict[tuple[int, ...], Term], key: tuple[int, ...], prime: int) -> Term | None:
    found = known.get(tuple(-v % prime for v in key))
    return None if found is None else Term(found.name, factor=Fraction(-1))


def _constant(key: tuple[int, ...], prime: int) -> Term | None:
    """Return a small rational that a residue is at all times, or None."""
    if len(set(key)) > 1:
        return None
    for denominator in (1, 2, 3, 4, 5, 8, 10):
        numerator = key[0] * denominator % prime
        for value in (numerator, numerator - prime):
            if abs(value) <= _LARGEST:
                return Term(factor=Fraction(value, denominator))
    return None


def _products(left: set[tuple[int, ...]], named: Sequence[Named], prime: int) -> dict[tuple[int, ...], Term]:
    """Return the products of a parameter and another quantity that are among `left`."""
    found: dict[tuple[int, ...], Term] = {}
    parameters = [name for name in named[0] if not name.endswith(")")]
    others = list(named[0])
    if len(parameters) * len(others) > MOST_PRODUCTS:
        return found
    for name in others:
        series = [int(each[name]) for each in named]
        for parameter in parameters:
            key = tuple(int(each[parameter]) * value % prime for each, value in zip(named, series, strict=True))
            if key in left:
                found.setdefault(key, Term(name, parameter))
    return found
