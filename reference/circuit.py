"""Arithmetic circuits: expressions whose common parts are written once, as plain data.

A gate is a sequence, an operation and its operands; whole numbers among them that name earlier gates come last:
    ("symbol", label)   ("number", numerator, denominator)
    ("+", i, j, ...)    ("*", i, j, ...)    ("^", exponent, i)
    ("function", name, i)          a function of one argument, such as f, f' and tanh
    ("jointly", name, k, i, ...)   component k of a function of several, as `Field.jointly` knows it
A negative exponent is a quotient. Gates survive JSON, so that a circuit can be kept in a file and read without running
anything that the file holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from .errors import GradcheckError

Gate: TypeAlias = Sequence[Any]
_LEAVES = {"symbol": 2, "number": 3}
_FIRST_OPERAND = {"+": 1, "*": 1, "^": 2, "function": 2, "jointly": 3}


@dataclass(frozen=True)
class LagCircuit:
    """g(t, 0), ..., g(t, t-1) of one loss: entry k of `lags` has a use's entries, in C order, as gate numbers."""

    gates: Sequence[Gate]
    lags: Sequence[Mapping[str, Sequence[int]]]

    def plain(self) -> dict[str, Any]:
        """Return the circuit as data that JSON can hold."""
        return {"gates": self.gates, "lags": self.lags}

    @staticmethod
    def from_plain(data: Any) -> LagCircuit:
        """Read a circuit from untrusted data. Raises `GradcheckError` where the data hold anything else."""
        try:
            gates, lags = data["gates"], data["lags"]
            for place, gate in enumerate(gates):
                _check(place, gate)
            for number in (n for lag in lags for entries in lag.values() for n in entries):
                if type(number) is not int or not 0 <= number < len(gates):
                    raise GradcheckError(f"an entry is gate {number!r:.60}; wanted one of {len(gates)} gates")
        except (TypeError, KeyError, IndexError, AttributeError) as error:
            raise GradcheckError(f"no circuit: {error!r:.200}") from error
        return LagCircuit(gates, lags)


def _check(place: int, gate: Any) -> None:
    first = {**_LEAVES, **_FIRST_OPERAND}.get(gate[0])
    if first is None or len(gate) < first + (gate[0] in _FIRST_OPERAND):
        raise GradcheckError(f"gate {place} is {gate!r:.60}; wanted one of {', '.join([*_LEAVES, *_FIRST_OPERAND])}")
    if any(type(i) is not int or not 0 <= i < place for i in gate[first:]):
        raise GradcheckError(f"gate {place} is {gate!r:.60}; wanted operands among the gates before it")


class Evaluation:
    """Values of gates in a `Field`, one after the other.

    `instance`, a network with an activation, an output and a loss, replaces the undefined functions: f by its
    activation, f' by the activation's derivative, e_k by its output error.
    """

    def __init__(self, field: Any, instance: Any = None) -> None:
        self.field, self.instance = field, instance
        self.values: list[Any] = []
        self._assigned: dict[str, Any] = {}

    def assign(self, label: str, value: Any) -> None:
        """Let a symbol stand for a native value instead of a generator of its own, in gates still to come."""
        self._assigned[label] = value

    def symbol(self, label: str) -> Any:
        """Return the value of a symbol."""
        return self._assigned[label] if label in self._assigned else self.field.symbol(label)

    def add(self, gate: Gate) -> int:
        """Evaluate a gate; its number. Raises `GradcheckError` for a function that the field lacks."""
        self.values.append(self._value(gate))
        return len(self.values) - 1

    def _value(self, gate: Gate) -> Any:
        operation, field = gate[0], self.field
        if operation == "symbol":
            return self.symbol(gate[1])
        if operation == "number":
            return field.convert(Fraction(gate[1], gate[2]))
        operands = [self.values[i] for i in gate[_FIRST_OPERAND[operation] :]]
        if operation in ("+", "*"):
            total = operands[0]
            for operand in operands[1:]:
                total = total + operand if operation == "+" else total * operand
            return total
        if operation == "^":
            power = operands[0] ** abs(gate[1])
            return power if gate[1] > 0 else field.divide(field.convert(1), power)
        if operation == "function":
            return self._of_one(gate[1], operands[0])
        return self._of_several(gate[1], gate[2], operands)

    def _of_one(self, name: str, argument: Any) -> Any:
        if self.instance is None or name not in ("f", "f'"):
            return self.field.function(name, argument)
        activation, s = self.instance.activation, self.field.array([argument], (1,))
        return self.field.natives(activation(s) if name == "f" else activation.derivative(s))[0]

    def _of_several(self, name: str, index: int, arguments: list[Any]) -> Any:
        field = self.field
        if self.instance is None or name != "e":
            return field.jointly(name, index, tuple(arguments))
        K = len(arguments) // 2
        error = self.instance.output_error(field.array(arguments[:K], (K,)), field.array(arguments[K:], (K,)))
        return field.natives(error)[index]
