"""NumPy functions in terms of a few others, for the arrays of `tape`: whoever has rules for those has these.

Nothing here knows about derivatives; the functions run on any array.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .compositions import COMPOSITIONS
from .errors import UnsupportedOperation


def _mean(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    total = np.sum(a, axis=axis, keepdims=keepdims)
    return total / (a.size // total.size)


def _dot(a: Any, b: Any) -> Any:
    return a * b if np.ndim(a) == 0 or np.ndim(b) == 0 else np.matmul(a, b)


def _inner(a: Any, b: Any) -> Any:
    return np.dot(a, b.T if np.ndim(b) == 2 else b)


def _outer(a: Any, b: Any) -> Any:
    return np.ravel(a)[:, None] * np.ravel(b)[None, :]


def _diag(v: Any) -> Any:
    if v.ndim == 2:
        return np.diagonal(v)
    return np.where(np.eye(v.size, dtype=bool), v[:, None], np.zeros_like(v)[:, None])


def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    counted = isinstance(axes, int)
    ours, theirs = (range(a.ndim - axes, a.ndim), range(axes)) if counted else map(np.atleast_1d, axes)
    first, second = list(string.ascii_lowercase[: a.ndim]), list(string.ascii_uppercase[: b.ndim])
    for i, j in zip(ours, theirs, strict=True):
        second[j] = first[i]
    output = [c for c in first + second if (c in first) != (c in second)]
    return np.einsum(f"{''.join(first)},{''.join(second)}->{''.join(output)}", a, b)


def _einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Any:
    if not isinstance(subscripts, str) or "." in subscripts or len(operands) > 2:
        raise UnsupportedOperation(f"np.einsum({subscripts!r}, ...)", "traced", "one or two operands without ... are")
    sources, arrow, output = subscripts.replace(" ", "").partition("->")
    if not arrow:
        output = "".join(sorted(c for c in set(sources) - {","} if sources.count(c) == 1))
    terms = sources.split(",")
    pairs = [_without_repeats(x, letters) for x, letters in zip(operands, terms, strict=True)]
    if len(pairs) == 1:
        return _ordered(*_summed(*pairs[0], keep=output), output)
    (x, a), (y, b) = pairs
    x, a = _summed(x, a, keep=output + b)
    y, b = _summed(y, b, keep=output + a)
    shared = [c for c in a if c in b]
    if any(c in output for c in shared):
        # An index of both that stays: multiply entry by entry, then sum.
        every = output + "".join(c for c in shared if c not in output)
        return _summed(_spread(x, a, every) * _spread(y, b, every), every, keep=output)[0]
    mine, yours = [c for c in a if c not in shared], [c for c in b if c not in shared]
    length = dict(zip(a + b, np.shape(x) + np.shape(y), strict=True))
    shape = [int(np.prod([length[c] for c in group], dtype=int)) for group in (mine, shared, yours)]
    left = _shaped(_ordered(x, a, "".join(mine + shared)), (shape[0], shape[1]))
    right = _shaped(_ordered(y, b, "".join(shared + yours)), (shape[1], shape[2]))
    product = _shaped(left @ right, tuple(length[c] for c in mine + yours))
    return _ordered(product, "".join(mine + yours), output)


def _without_repeats(x: Any, letters: str) -> tuple[Any, str]:
    """Return the diagonal of x along each index that its term repeats."""
    for c in set(letters):
        while letters.count(c) > 1:
            i, j = letters.index(c), letters.rindex(c)
            x = np.diagonal(x, 0, i, j)
            letters = letters[:i] + letters[i + 1 : j] + letters[j + 1 :] + c
    return x, letters


def _summed(x: Any, letters: str, keep: Sequence[str]) -> tuple[Any, str]:
    axes = tuple(i for i, c in enumerate(letters) if c not in keep)
    return (np.sum(x, axis=axes), "".join(c for c in letters if c in keep)) if axes else (x, letters)


def _ordered(x: Any, letters: str, wanted: str) -> Any:
    if letters == wanted:
        return x
    return x.T if letters == wanted[::-1] else np.transpose(x, [letters.index(c) for c in wanted])


def _shaped(x: Any, shape: tuple[int, ...]) -> Any:
    return x if x.shape == shape else np.reshape(x, shape)


def _spread(x: Any, letters: str, every: str) -> Any:
    ordered = _ordered(x, letters, "".join(c for c in every if c in letters))
    sizes = dict(zip(letters, x.shape, strict=True))
    return _shaped(ordered, tuple(sizes.get(c, 1) for c in every))


def _entry_at(position: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda a: np.ravel(a)[int(position(a))]


COMPOSITES: dict[Any, Callable[..., Any]] = {
    np.mean: _mean,
    np.dot: _dot,
    np.inner: _inner,
    np.outer: _outer,
    np.diag: _diag,
    np.tensordot: _tensordot,
    np.einsum: _einsum,
    np.max: _entry_at(np.argmax),
    np.min: _entry_at(np.argmin),
    np.clip: lambda a, a_min, a_max: np.minimum(np.maximum(a, a_min), a_max),
    np.copy: lambda a: +a,
    **COMPOSITIONS,
}
