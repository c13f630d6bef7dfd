"""Sums of cotangents that are formed only when asked for.

A matrix that multiplies a vector at each of T steps has a cotangent of T outer products. Formed and added
one by one they cost T I^2 additions of scalars, which for balls is most of the run; as one product of an
(I, T) and a (T, I) matrix they go to the library's own routine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .typing import Array


@dataclass(frozen=True)
class Product:
    """left @ right, not yet formed: left (m, p), right (p, n)."""

    left: Array
    right: Array

    @property
    def T(self) -> Product:
        return Product(self.right.T, self.left.T)


Term: TypeAlias = Array | Product


class CotangentSum:
    """A sum of arrays and products shaped like `like`; without terms it is zero."""

    __slots__ = ("like", "terms")

    def __init__(self, like: Array) -> None:
        self.like = like
        self.terms: list[Term] = []

    def add(self, *terms: Term) -> None:
        self.terms.extend(terms)

    def array(self) -> Array:
        """Return the sum, an array of its own."""
        products = [term for term in self.terms if isinstance(term, Product)]
        arrays = [term for term in self.terms if not isinstance(term, Product)]
        if products:
            left = np.concatenate([p.left for p in products], axis=1)
            right = np.concatenate([p.right for p in products], axis=0)
            arrays.append(np.matmul(left, right))
        if not arrays:
            return np.zeros_like(self.like)
        if len(arrays) == 1 and not products:
            return as_array(arrays[0], self.like).copy()
        total = as_array(arrays[0], self.like)
        for array in arrays[1:]:
            total = as_array(total + array, total)
        return total

    def size(self) -> Any:
        """Return the sum of the absolute values of all entries, without forming an outer product."""
        if len(self.terms) == 1 and isinstance(self.terms[0], Product):
            left, right = self.terms[0].left, self.terms[0].right
            if left.shape[1] == 1:
                return np.abs(left).sum() * np.abs(right).sum()
        return np.abs(self.array()).sum()


def as_array(value: Any, *likes: Any) -> Array:
    """Return `value`, or in place of a bare scalar an array of shape () of the same kind as the `likes`."""
    if isinstance(value, np.ndarray):
        return value
    for like in likes:
        if isinstance(like, np.ndarray) and type(like) is not np.ndarray:
            # Only the subclass knows the number system of a bare residue or ball.
            out = np.empty_like(like, shape=())
            out[()] = value
            return out
    return np.asarray(value)
