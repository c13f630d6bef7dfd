"""Random functions on residues that keep the laws of the functions they stand for.

As in `reference.scalars.modular`, but on whole float64 arrays: sigma(-v) = 1 - sigma(v) stands for the
logistic function, tanh(v) = 2 sigma(2v) - 1, exp = sigma / (1 - sigma), softplus(v) = log(1 + exp(v)), and log,
f and f' are random and independent. sin, cos and arctan are as there, square roots random or by their law. relu is a
random bit times its argument.

The values come from a keyed mixer of 64 bits (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
generators": SplitMix64), taken modulo the prime: uniform to within p / 2^64 < 2^-33 each, if the mixer is
taken for a random function. That last step is an assumption, as it is for any hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from ...errors import GradcheckError, NoRoot, UnsupportedOperation
from ...typing import Array
from .arithmetic import Modulus
from .degrees import CONSTANT, GENERATOR, Degree, Divisor

_SHIFTS = tuple(np.array(bits, dtype=np.uint64) for bits in (30, 27, 31))
_FACTORS = tuple(np.array(odd, dtype=np.uint64) for odd in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_ONE, _TWO = np.array(1.0), np.array(2.0)


def _mix(z: Array) -> Array:
    """Mix the bits of each entry in place."""
    z ^= z >> _SHIFTS[0]
    z *= _FACTORS[0]
    z ^= z >> _SHIFTS[1]
    z *= _FACTORS[1]
    z ^= z >> _SHIFTS[2]
    return z


class RandomFunctions:
    """The functions chosen by `seed`, and while `recording` the points at which each was evaluated.

    The degrees that they report: sigma, log, arctan, f, f', random roots and the undefined g, e and L give fresh
    generators (degree 1, hence tanh, logistic and softplus too); exp is a quotient of two polynomials of degree 1 per
    entry, sin and cos of degree 2; relu keeps the degree of its argument and heaviside is constant, both for the
    pattern of bits at hand. A root by its law is no rational function: it counts as its argument times its denominator,
    whose degree is no less, and `modular` evidence knows how many of them there are.

    With `roots`, square roots are taken by their law, `NoRoot` is raised where there is none, and `rooted` holds the
    arguments met so far, in order.
    """

    def __init__(self, modulus: Modulus, seed: int, *, roots: bool = False) -> None:
        if roots and modulus.prime % 4 != 3:
            raise GradcheckError(f"square roots by their law want a prime that is 3 modulo 4; got {modulus.prime}")
        self.modulus, self.seed, self.roots = modulus, seed, roots
        self.rooted: dict[int, None] = {}
        self._keys: dict[str, Array] = {}
        self._half, self._prime = modulus.convert(0.5), np.array(modulus.prime, dtype=np.uint64)
        self.recording = False
        self.reset()

    def reset(self) -> None:
        """Forget the recorded evaluations."""
        self.calls: list[tuple[str, Array]] = []
        self.numerator = self.denominator = 0

    def _record(self, name: str, points: Array, degree: Degree) -> None:
        if self.recording:
            self.calls.append((name, points.reshape(-1)))
            self.numerator = max(self.numerator, degree.numerator)
            self.denominator = max(self.denominator, degree.denominator)

    def _key(self, name: str, payload: bytes = b"") -> Array:
        chosen = repr((self.seed, self.modulus.prime, name)).encode()
        return np.frombuffer(hashlib.blake2b(chosen + payload, digest_size=16).digest(), dtype=np.uint64)

    def _hash(self, name: str, points: Array) -> Array:
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = self._key(name)
        flat = np.asarray(points).astype(np.uint64).reshape(-1)  # products of arrays wrap; NumPy's scalars would warn
        flat += key[:1]
        flat = _mix(flat)
        flat += key[1:]
        return _mix(flat).reshape(np.shape(points))

    def _random(self, name: str, points: Array) -> Array:
        return self.modulus.balanced((self._hash(name, points) % self._prime).astype(np.int64))

    def _sigma(self, x: Array, degree: Degree) -> Array:
        v = self.modulus.balanced(self.modulus.canonical(x))
        points = np.abs(v)
        self._record("sigma", points.astype(np.int64), degree)
        value = self._random("sigma", points)
        value = np.where(v < 0, self.modulus.subtract(1.0, value), value)
        return np.where(v == 0, self._half, value)

    def _odd(self, name: str, x: Array, degree: Degree) -> Array:
        """Return a random function with f(-v) = -f(v)."""
        v = self.modulus.signed(self.modulus.canonical(x))
        points = np.abs(v)
        self._record(name, points, degree)
        value: Array = self._random(name, points) * np.sign(v)
        return value

    def _root(self, x: Array, degree: Degree) -> tuple[Array, Degree]:
        modulus, points = self.modulus, self.modulus.canonical(x)
        if not self.roots:
            self._record("sqrt", points, degree)
            return np.where(points == 0, 0.0, self._random("sqrt", points)), GENERATOR
        root = modulus.power(x, (modulus.prime + 1) // 4)
        found = modulus.canonical(modulus.multiply(root, root)) == points
        for point, exists in zip(points.reshape(-1).tolist(), found.reshape(-1).tolist(), strict=True):
            if not exists:
                raise NoRoot("modular", len(self.rooted))
            self.rooted[point] = None
        return root, Degree(degree.numerator + degree.denominator, degree.divisors)

    def apply(self, name: str, x: Array, degree: Degree) -> tuple[Array, Degree]:
        """Return the function `name` of residues. Raises `UnsupportedOperation` for one that is lacking."""
        modulus = self.modulus
        if name in ("f", "f'", "log"):
            points = modulus.canonical(x)
            self._record(name, points, degree)
            return self._random(name, points), GENERATOR
        if name == "logistic":
            return self._sigma(x, degree), GENERATOR
        if name == "sqrt":
            return self._root(x, degree)
        if name == "arctan":
            return self._odd(name, x, degree), GENERATOR
        if name in ("sin", "cos"):
            t = self._odd("angle", x, degree)
            square, entries = modulus.multiply(t, t), int(np.size(x))
            above = t * _TWO if name == "sin" else modulus.subtract(1.0, square)
            value = modulus.multiply(modulus.reduce(above), modulus.inverse(modulus.add(1.0, square)))
            return value, Degree(2 * entries, {Divisor(2 * entries): 1})
        if name == "tanh":
            # 2 sigma(2x) - 1, an odd function as sigma(-v) = 1 - sigma(v).
            v = modulus.signed(modulus.canonical(x * _TWO))
            points = np.abs(v)
            self._record("sigma", points, degree)
            sigma = self._hash("sigma", points) % self._prime
            return modulus.reduce(sigma * _TWO - _ONE) * np.sign(v), GENERATOR
        if name == "exp":
            sigma = self._sigma(x, degree)
            value = modulus.multiply(sigma, modulus.inverse(modulus.subtract(1.0, sigma)))
            return value, Degree(x.size, {Divisor(x.size): 1})
        if name == "softplus":
            value, above = self.apply("exp", x, degree)
            return self.apply("log", modulus.add(1.0, value), above)
        if name in ("relu", "heaviside"):
            points = modulus.canonical(x)
            self._record("bit", points, degree)
            bits = (self._hash("bit", points) >> np.uint64(63)).astype(np.float64)
            return (x * bits, degree) if name == "relu" else (bits, CONSTANT)
        raise UnsupportedOperation(name, "modular", "its derivative has no algebraic law that residues could keep")

    def jointly(self, name: str, count: int, arguments: Sequence[tuple[Array, Degree]]) -> tuple[Array, Degree]:
        """Return `count` components of the undefined vector function `name` of all entries of `arguments`."""
        points = [self.modulus.canonical(x) for x, _ in arguments]
        payload = repr([p.shape for p in points]).encode() + b"".join(p.tobytes() for p in points)
        key = self._key(name, payload)
        joined = CONSTANT
        for _, degree in arguments:
            joined = joined.join(degree)
        self._record(name, key[:1], joined)
        with np.errstate(over="ignore"):
            mixed = _mix(_mix(np.arange(count, dtype=np.uint64) + key[0]) + key[1])
        return self.modulus.balanced((mixed % np.uint64(self.modulus.prime)).astype(np.int64)), GENERATOR

    def softmax(self, x: Array, degree: Degree) -> tuple[Array, Degree]:
        modulus = self.modulus
        powers, powers_degree = self.apply("exp", x, degree)
        total = modulus.sum(powers)
        return modulus.multiply(powers, modulus.inverse(total)), powers_degree.times(powers_degree.inverse(1))
