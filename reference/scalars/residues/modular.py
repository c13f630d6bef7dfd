"""Residues modulo a prime, with activations as random functions that keep their algebraic laws.

In a finite field nothing vanishes, explodes or rounds, so equality is decided without a tolerance.
One random function sigma with sigma(-v) = 1 - sigma(v) stands for the logistic function, and the
others are made from it the way the real ones are: exp = sigma/(1 - sigma), tanh(v) = 2 sigma(2v) - 1.
So tanh' = 1 - tanh^2, exp(-v) = 1/exp(v), tanh odd, and 1/(1+exp(-v)) is the logistic function,
exactly as a rule that hard-codes them expects. sin and cos are made from one odd random function t as
2t/(1 + t^2) and (1 - t^2)/(1 + t^2), arctan is odd, and relu is a random bit times its argument. A square root is
random, or by its law: the root that is itself a square, which exists for half of all residues modulo a prime that is 3
modulo 4, and is a multiplicative function, as the positive root is (Ireland & Rosen 1990, "A Classical Introduction to
Modern Number Theory", 2nd ed., chapter 5). Order means nothing here: comparisons raise.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import Any

import flint

from ...errors import GradcheckError, NoRoot, Undecided, UnsupportedOperation
from ...typing import Array
from ..base import Field

PRIME = 2**61 - 1


class ModularField(Field):
    """Integers modulo a prime, with random functions.

    Args:
        prime: Below 2^64.
        seed: Chooses the random functions.
        roots: Take square roots by their law, and raise `NoRoot` where there is none; else they are random.
    """

    name = "modular"

    def __init__(self, prime: int = PRIME, seed: int = 0, *, roots: bool = False) -> None:
        super().__init__()
        if roots and prime % 4 != 3:
            raise GradcheckError(f"square roots by their law want a prime that is 3 modulo 4; got {prime}")
        self.prime, self.seed, self.roots = prime, seed, roots

    def from_ratio(self, numerator: int, denominator: int) -> Any:
        if denominator % self.prime == 0:
            ratio = f"{numerator}/{denominator}"
            raise UnsupportedOperation(f"the constant {ratio}", self.name, "its denominator is a multiple of the prime")
        return flint.nmod(numerator, self.prime) / flint.nmod(denominator, self.prime)

    def random(self, *key: Any) -> Any:
        """Return a residue that depends on the key and the seed alone."""
        digest = hashlib.blake2b(repr((self.seed, self.prime, *key)).encode(), digest_size=16).digest()
        return flint.nmod(int.from_bytes(digest, "big") % self.prime, self.prime)

    def _sigma(self, value: Any) -> Any:
        v = int(value)
        if v == 0:
            return self.convert(Fraction(1, 2))
        if 2 * v < self.prime:
            return self.random("sigma", v)
        return 1 - self.random("sigma", self.prime - v)

    def _odd(self, name: str, value: Any) -> Any:
        """Return a random function with f(-v) = -f(v)."""
        v = int(value)
        if v == 0:
            return value
        return self.random(name, v) if 2 * v < self.prime else -self.random(name, self.prime - v)

    def _root(self, value: Any) -> Any:
        if int(value) == 0:
            return value
        if not self.roots:
            return self.random("sqrt", int(value))
        root = value ** ((self.prime + 1) // 4)
        if root * root != value:
            raise NoRoot(self.name)
        return root

    def function(self, name: str, value: Any) -> Any:
        if name in ("f", "f'", "log"):
            return self.random(name, int(value))
        if name == "sqrt":
            return self._root(value)
        if name == "arctan":
            return self._odd(name, value)
        if name in ("sin", "cos"):
            t = self._odd("angle", value)
            square = t * t
            return (2 * t if name == "sin" else 1 - square) / (1 + square)
        if name == "logistic":
            return self._sigma(value)
        if name == "exp":
            sigma = self._sigma(value)
            return sigma / (1 - sigma)
        if name == "tanh":
            return 2 * self._sigma(2 * value) - 1
        if name == "softplus":
            return self.function("log", 1 + self.function("exp", value))
        if name in ("relu", "heaviside"):
            bit = int(self.random("bit", int(value))) & 1
            return value * bit if name == "relu" else flint.nmod(bit, self.prime)
        raise UnsupportedOperation(name, self.name, "its derivative has no algebraic law that residues could keep")

    def jointly(self, name: str, index: int, arguments: tuple[Any, ...]) -> Any:
        return self.random(name, index, *(int(a) for a in arguments))

    def compare(self, symbol: str, a: Any, b: Any) -> bool:
        raise Undecided(
            f"the comparison {symbol}", self.name, "residues have no order and stand for all values at once"
        )

    def divide(self, a: Any, b: Any) -> Any:
        if int(b) == 0:
            raise UnsupportedOperation("division by zero", self.name)
        return a / b

    def matmul(self, a: Array, b: Array) -> Array:
        left = flint.nmod_mat(a.shape[0], a.shape[1], self.natives(a), self.prime)
        right = flint.nmod_mat(b.shape[0], b.shape[1], self.natives(b), self.prime)
        return self.array((left * right).entries(), (a.shape[0], b.shape[1]))
