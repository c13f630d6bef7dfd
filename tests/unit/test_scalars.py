"""NumPy code on every scalar: the right value, or a refusal that names the operation and the scalar. Never a float.

The numbers are dyadic and small, so that float64 computes every rational operation here without rounding.
`residues` have their own file.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from gradcheck.reference.errors import GradcheckError, Undecided, UnsupportedOperation
from gradcheck.reference.functions import apply
from gradcheck.reference.scalars.ball import BallField
from gradcheck.reference.scalars.base import Field, FieldArray
from gradcheck.reference.scalars.dual import DualField
from gradcheck.reference.scalars.expression import ExpressionField
from gradcheck.reference.scalars.formal import FormalField
from gradcheck.reference.scalars.precise import PreciseField
from gradcheck.reference.scalars.rational import RationalField
from gradcheck.reference.scalars.residues.modular import ModularField
from gradcheck.reference.scalars.rounded import NormwiseField, RoundedField
from gradcheck.reference.scalars.scalar import Scalar

FIELDS = {
    "ball": BallField(128),
    "precise": PreciseField(30),
    "rational": RationalField(),
    "modular": ModularField(),
    "formal": FormalField(400, 200),
    "dual over balls": DualField(BallField(128)),
    "dual over rationals": DualField(RationalField()),
    "symbolic": ExpressionField(),
    "rounded": RoundedField.for_dtype(np.float64),
}
REAL = ("ball", "precise", "dual over balls", "symbolic", "rounded")
ORDERED = (*REAL, "rational", "dual over rationals", "formal")
"""On constants polynomials have an order too."""

x = np.array([0.5, -0.25, 2.0])
y = np.array([1.0, 4.0, -0.5])
A = np.array([[1.0, 0.5, -2.0], [0.25, -1.0, 3.0], [2.0, 0.125, 1.5]])
B = np.array([[2.0, 1.0, 0.5], [-1.0, 0.25, 4.0], [1.0, -2.0, 0.5]])
MASK = np.array([True, False, True])


def _set(array: Any, key: Any, value: Any) -> Any:
    array[key] = value
    return array


def _add_to(array: Any, value: Any) -> Any:
    array += value
    return array


def _multiply_into(array: Any, value: Any) -> Any:
    array *= value
    return array


def _called(function: Callable[..., Any], array: Any, *args: Any) -> Any:
    function(array, *args)
    return array


def _loop(x: Any) -> Any:
    total = 0
    for v in x:
        total += v
    return total


Operation = Callable[[Any, Any, Any, Any], Any]
ARITHMETIC: dict[str, Operation] = {
    "x + y": lambda x, y, A, B: x + y,
    "x - y": lambda x, y, A, B: x - y,
    "x * y": lambda x, y, A, B: x * y,
    "x / y": lambda x, y, A, B: x / y,
    "-x": lambda x, y, A, B: -x,
    "+x": lambda x, y, A, B: +x,
    "x ** 2": lambda x, y, A, B: x**2,
    "x ** 2.0": lambda x, y, A, B: x**2.0,
    "x ** 0": lambda x, y, A, B: x**0,
    "x ** -1": lambda x, y, A, B: x**-1,
    "x ** -2": lambda x, y, A, B: x**-2,
    "x ** [1, 2, 3]": lambda x, y, A, B: x ** np.array([1, 2, 3]),
    "np.power": lambda x, y, A, B: np.power(x, 3),
    "np.square": lambda x, y, A, B: np.square(x),
    "np.reciprocal": lambda x, y, A, B: np.reciprocal(x),
    "np.negative": lambda x, y, A, B: np.negative(x),
    "1 - x": lambda x, y, A, B: 1 - x,
    "1 / x": lambda x, y, A, B: 1 / x,
    "0.125 * x": lambda x, y, A, B: 0.125 * x,
    "1.0 / x[0]": lambda x, y, A, B: 1.0 / x[0],
    "np.float64 * x": lambda x, y, A, B: np.float64(0.5) * x,
    "np.float64 * x[0]": lambda x, y, A, B: np.float64(0.5) * x[0],
    "x[0] * np.float64": lambda x, y, A, B: x[0] * np.float64(0.5),
    "np.float32 + x[0]": lambda x, y, A, B: np.float32(0.5) + x[0],
    "np.int64 * x[0]": lambda x, y, A, B: np.int64(3) * x[0],
    "x[0] / np.int64": lambda x, y, A, B: x[0] / np.int64(4),
    "np.bool * x": lambda x, y, A, B: MASK * x,
    "np.bool * x[0]": lambda x, y, A, B: (T := np.bool_(True)) * x[0] + T * 1,
    "float array * x": lambda x, y, A, B: np.array([1.0, 2.0, 3.0]) * x,
    "int array * x": lambda x, y, A, B: np.arange(3) * x,
    "float array * x[0]": lambda x, y, A, B: np.array([0.125, 0.25, 3.0]) * x[0],
    "x[0] - float array": lambda x, y, A, B: x[0] - np.array([0.125, 0.25, 3.0]),
    "float array / x[0]": lambda x, y, A, B: np.array([0.125, 0.25, 3.0]) / x[0],
    "x.sum() * y": lambda x, y, A, B: x.sum() * y,
    "0-d array + x": lambda x, y, A, B: np.array(0.125) * x + 0.25,
    "Fraction * x[0]": lambda x, y, A, B: Fraction(1, 4) * x[0] if isinstance(x[0], Scalar) else 0.25 * x[0],
    "x.real": lambda x, y, A, B: x.real,
    "np.conj": lambda x, y, A, B: np.conj(x),
}
PRODUCTS: dict[str, Operation] = {
    "x @ y": lambda x, y, A, B: x @ y,
    "A @ x": lambda x, y, A, B: A @ x,
    "x @ A": lambda x, y, A, B: x @ A,
    "A @ B": lambda x, y, A, B: A @ B,
    "A.T @ x": lambda x, y, A, B: A.T @ x,
    "eye @ x": lambda x, y, A, B: np.eye(3) @ x,
    "x @ eye": lambda x, y, A, B: x @ np.eye(3),
    "empty @ empty": lambda x, y, A, B: x[:0] @ y[:0] + x[0],
    "A[:, :0] @ A[:0]": lambda x, y, A, B: A[:, :0] @ A[:0] + x,
    "stack @ x": lambda x, y, A, B: np.stack([A, B]) @ x,
    "stack @ stack": lambda x, y, A, B: np.stack([A, B]) @ np.stack([B, A]),
    "np.matmul": lambda x, y, A, B: np.matmul(A, x),
    "np.dot": lambda x, y, A, B: np.dot(A, x),
    "A.dot(x)": lambda x, y, A, B: A.dot(x),
    "np.dot(x, 2)": lambda x, y, A, B: np.dot(x, 2),
    "np.vdot": lambda x, y, A, B: np.vdot(x, y),
    "np.inner": lambda x, y, A, B: np.inner(x, y),
    "np.inner of matrices": lambda x, y, A, B: np.inner(A, B),
    "np.inner(A, x)": lambda x, y, A, B: np.inner(A, x),
    "np.outer": lambda x, y, A, B: np.outer(x, y),
    "np.kron": lambda x, y, A, B: np.kron(x, y),
    "np.cross": lambda x, y, A, B: np.cross(x, y),
    "np.tensordot 1": lambda x, y, A, B: np.tensordot(A, B, 1),
    "np.tensordot 0": lambda x, y, A, B: np.tensordot(x, y, 0),
    "np.tensordot axes": lambda x, y, A, B: np.tensordot(A, B, axes=([0], [0])),
    "einsum ij,j->i": lambda x, y, A, B: np.einsum("ij,j->i", A, x),
    "einsum i,j->ij": lambda x, y, A, B: np.einsum("i,j->ij", x, y),
    "einsum ij,ij->": lambda x, y, A, B: np.einsum("ij,ij->", A, B),
    "einsum ij,jk,k->i": lambda x, y, A, B: np.einsum("ij,jk,k->i", A, B, x),
    "einsum optimize": lambda x, y, A, B: np.einsum("ij,jk,k->i", A, B, x, optimize=True),
    "einsum ii": lambda x, y, A, B: np.einsum("ii", A),
    "einsum ...": lambda x, y, A, B: np.einsum("...i,i->...", A, x),
    "einsum with floats": lambda x, y, A, B: np.einsum("ij,j->i", np.eye(3), x),
    "np.linalg.multi_dot": lambda x, y, A, B: np.linalg.multi_dot([A, B, x]),
    "np.linalg.matrix_power": lambda x, y, A, B: np.linalg.matrix_power(A, 2),
    "np.trace": lambda x, y, A, B: np.trace(A),
    "np.convolve": lambda x, y, A, B: np.convolve(x, y),
    "np.multiply.outer": lambda x, y, A, B: np.multiply.outer(x, y),
    "np.add.outer": lambda x, y, A, B: np.add.outer(x, y),
}
SUMS: dict[str, Operation] = {
    "x.sum()": lambda x, y, A, B: x.sum(),
    "np.sum": lambda x, y, A, B: np.sum(A),
    "sum axis 0": lambda x, y, A, B: A.sum(axis=0),
    "sum keepdims": lambda x, y, A, B: A.sum(axis=1, keepdims=True),
    "np.sum of a list": lambda x, y, A, B: np.sum([x, y], axis=0),
    "sum(x)": lambda x, y, A, B: sum(x),
    "sum([x, y])": lambda x, y, A, B: sum([x, y]),
    "a loop": lambda x, y, A, B: _loop(x),
    "zip": lambda x, y, A, B: sum(p * q for p, q in zip(x, y, strict=True)),
    "enumerate": lambda x, y, A, B: sum(i * v for i, v in enumerate(x)),
    "mean": lambda x, y, A, B: A[:2, :2].mean(),
    "mean axis 0": lambda x, y, A, B: np.mean(A[:2], axis=0),
    "np.average": lambda x, y, A, B: np.average(x[:2]),
    "np.var": lambda x, y, A, B: np.var(x[:2]),
    "np.prod": lambda x, y, A, B: np.prod(x),
    "np.cumsum": lambda x, y, A, B: np.cumsum(x),
    "np.cumsum axis 0": lambda x, y, A, B: np.cumsum(A, axis=0),
    "np.cumprod": lambda x, y, A, B: np.cumprod(x),
    "np.diff": lambda x, y, A, B: np.diff(x),
    "np.add.reduce": lambda x, y, A, B: np.add.reduce(A, axis=0),
    "np.add.accumulate": lambda x, y, A, B: np.add.accumulate(x),
    "empty sum": lambda x, y, A, B: x[:0].sum() + x[0],
    "np.apply_along_axis": lambda x, y, A, B: np.apply_along_axis(lambda r: r.sum(), 0, A),
}
ARRANGING: dict[str, Operation] = {
    "concatenate": lambda x, y, A, B: np.concatenate([x, y]),
    "concatenate with floats": lambda x, y, A, B: np.concatenate([x, [1.0, 0.125]]) * 2,
    "concatenate zeros": lambda x, y, A, B: np.concatenate([np.zeros(2), x]) + x[0],
    "stack": lambda x, y, A, B: np.stack([x, y]),
    "hstack": lambda x, y, A, B: np.hstack([x, y]),
    "vstack": lambda x, y, A, B: np.vstack([A, x]),
    "column_stack": lambda x, y, A, B: np.column_stack([x, y]),
    "block": lambda x, y, A, B: np.block([[A, B]]),
    "append": lambda x, y, A, B: np.append(x, 1.0),
    "insert": lambda x, y, A, B: np.insert(x, 0, 1.0) * 2,
    "r_": lambda x, y, A, B: np.r_[x, 1.0] * 2,
    "pad": lambda x, y, A, B: np.pad(x, 1) * 2,
    "tile": lambda x, y, A, B: np.tile(x, 2),
    "repeat": lambda x, y, A, B: np.repeat(x, 2),
    "roll": lambda x, y, A, B: np.roll(x, 1),
    "flip": lambda x, y, A, B: np.flip(x),
    "split": lambda x, y, A, B: np.split(x, 3)[1] * 2,
    "where": lambda x, y, A, B: np.where(MASK, x, y),
    "where with 0": lambda x, y, A, B: np.where(MASK, x, 0) * 2,
    "where with floats": lambda x, y, A, B: np.where(MASK, x, 0.125) + 0.25,
    "diag of a vector": lambda x, y, A, B: np.diag(x),
    "diag of a matrix": lambda x, y, A, B: np.diag(A),
    "diagonal": lambda x, y, A, B: A.diagonal(),
    "triu": lambda x, y, A, B: np.triu(A),
    "transpose": lambda x, y, A, B: np.transpose(A),
    "swapaxes": lambda x, y, A, B: A.swapaxes(0, 1),
    "reshape": lambda x, y, A, B: A.reshape(-1),
    "ravel": lambda x, y, A, B: A.ravel(),
    "flatten": lambda x, y, A, B: A.flatten(),
    "newaxis": lambda x, y, A, B: x[:, None] * y[None, :],
    "expand_dims": lambda x, y, A, B: np.expand_dims(x, 0),
    "squeeze": lambda x, y, A, B: np.squeeze(x[None]),
    "broadcast_to": lambda x, y, A, B: np.broadcast_to(x, (2, 3)),
    "take": lambda x, y, A, B: x.take([0, 2]),
    "fancy index": lambda x, y, A, B: x[[2, 0]],
    "slices": lambda x, y, A, B: A[1:, ::2],
    "reversed": lambda x, y, A, B: x[::-1],
    "ellipsis": lambda x, y, A, B: A[..., 0],
    "flat": lambda x, y, A, B: A.flat[3] * 2,
    "item": lambda x, y, A, B: x[:1].item() * 2,
    "tolist": lambda x, y, A, B: np.array(x.tolist()),
    "boolean mask": lambda x, y, A, B: x[MASK],
    "meshgrid": lambda x, y, A, B: np.meshgrid(x, y)[0],
    "np.ix_": lambda x, y, A, B: A[np.ix_([0, 2], [1, 2])],
    "moveaxis": lambda x, y, A, B: np.moveaxis(A, 0, 1),
    "lists": lambda x, y, A, B: [v * 0.5 for v in x],
    "np.array of scalars": lambda x, y, A, B: np.array([x[0], x[1], y[2]]),
    "np.array of rows": lambda x, y, A, B: np.array([x, y]) @ x,
    "np.array of both": lambda x, y, A, B: np.array([x[0], 0.125, 0.25]) * x[0],
    "np.asarray": lambda x, y, A, B: np.asarray(x) * 2,
    "np.asarray @": lambda x, y, A, B: np.asarray(A) @ np.asarray(x),
    "np.asarray of one": lambda x, y, A, B: np.asarray(x[0]) * 2,
    "view": lambda x, y, A, B: x.view(np.ndarray) * 2,
    "np.array of a comprehension": lambda x, y, A, B: np.array([v * v for v in x]),
    "vectorize": lambda x, y, A, B: np.vectorize(lambda v: v * 2)(x),
}
BUFFERS: dict[str, Operation] = {
    "zeros_like": lambda x, y, A, B: np.zeros_like(A),
    "ones_like": lambda x, y, A, B: np.ones_like(x),
    "full_like": lambda x, y, A, B: np.full_like(x, 0.125),
    "full_like of an entry": lambda x, y, A, B: np.full_like(x, x[0]) + x,
    "zeros_like shape": lambda x, y, A, B: np.zeros_like(x, shape=(2, 2)) + x[0],
    "zeros_like dtype": lambda x, y, A, B: np.zeros_like(x, dtype=x.dtype) + x,
    "np.zeros dtype": lambda x, y, A, B: _add_to(np.zeros(3, dtype=x.dtype), x),
    "np.zeros dtype @": lambda x, y, A, B: np.zeros((3, 3), dtype=x.dtype) @ x + x,
    "np.eye dtype @": lambda x, y, A, B: np.eye(3, dtype=x.dtype) @ x,
    "np.zeros + x": lambda x, y, A, B: np.zeros(3) + x,
    "empty_like": lambda x, y, A, B: _set(np.empty_like(x), ..., x),
    "copy": lambda x, y, A, B: x.copy(),
    "np.copy": lambda x, y, A, B: np.copy(x),
    "copy.copy": lambda x, y, A, B: copy.copy(x),
    "copy.deepcopy": lambda x, y, A, B: copy.deepcopy(x),
    "astype own": lambda x, y, A, B: x.astype(x.dtype),
    "b[i] = number": lambda x, y, A, B: _set(np.zeros_like(x), 2, 0.125) * 2,
    "b[i] = scalar": lambda x, y, A, B: _set(np.zeros_like(x), 1, x[0]) * 2,
    "b[i] = 0-d": lambda x, y, A, B: _set(np.zeros_like(x), 1, x[:1].sum()) * 2,
    "b[i] = row": lambda x, y, A, B: _set(np.zeros_like(A), 1, x) * 2,
    "b[i] = list": lambda x, y, A, B: _set(x.copy(), slice(None), [0.125, 0.25, 0.5]) * 2,
    "b[i] = mixed list": lambda x, y, A, B: _set(x.copy(), slice(None), [x[1], 0.25, 0.5]) * 2,
    "b[1:] = rows": lambda x, y, A, B: _set(A.copy(), slice(1, 3), B[:2]),
    "b[mask] = 0": lambda x, y, A, B: _set(x.copy(), MASK, 0) * 2,
    "b += y": lambda x, y, A, B: _add_to(x.copy(), y),
    "b += number": lambda x, y, A, B: _add_to(x.copy(), 0.125),
    "b *= y": lambda x, y, A, B: _multiply_into(x.copy(), y),
    "b[0] += x": lambda x, y, A, B: _set(B := A.copy(), 0, B[0] + x),
    "np.add.at": lambda x, y, A, B: _called(np.add.at, np.zeros_like(x), [0, 0], x[:2]),
    "np.fill_diagonal": lambda x, y, A, B: _called(np.fill_diagonal, A.copy(), 0.125) * 2,
    "np.put": lambda x, y, A, B: _called(np.put, x.copy(), [0], 0.125) * 2,
    "np.copyto": lambda x, y, A, B: _called(np.copyto, np.zeros_like(x), 0.125) * 2,
    "np.multiply out": lambda x, y, A, B: np.multiply(x, y, out=np.zeros_like(x)),
}
EXACT = {**ARITHMETIC, **PRODUCTS, **SUMS, **ARRANGING, **BUFFERS}

FUNCTIONS: dict[str, Operation] = {
    "np.tanh": lambda x, y, A, B: np.tanh(x),
    "np.tanh of one": lambda x, y, A, B: np.tanh(x[0]),
    "np.exp": lambda x, y, A, B: np.exp(x),
    "np.exp of one": lambda x, y, A, B: np.exp(-x[0]),
    "np.log": lambda x, y, A, B: np.log(y[:2]),
    "np.sqrt": lambda x, y, A, B: np.sqrt(y[:2]),
    "y ** 0.5": lambda x, y, A, B: y[:2] ** 0.5,
    "np.log1p": lambda x, y, A, B: np.log1p(x),
    "np.expm1": lambda x, y, A, B: np.expm1(x),
    "np.cosh": lambda x, y, A, B: np.cosh(x),
    "np.sinh": lambda x, y, A, B: np.sinh(x),
    "np.sin": lambda x, y, A, B: np.sin(x),
    "np.cos": lambda x, y, A, B: np.cos(x),
    "logistic": lambda x, y, A, B: 1 / (1 + np.exp(-x)),
    "sech^2": lambda x, y, A, B: 1 / np.cosh(x) ** 2,
    "vectorize tanh": lambda x, y, A, B: np.vectorize(lambda v: np.tanh(v))(x),
    "np.array then tanh": lambda x, y, A, B: np.tanh(np.array([x[0], x[1]])),
    "np.std": lambda x, y, A, B: np.std(x),
    "np.var": lambda x, y, A, B: np.var(A, axis=1, ddof=1),
    "y ** 0.3": lambda x, y, A, B: y[:2] ** 0.3,
    "y ** -0.5": lambda x, y, A, B: y[:2] ** -0.5,
    "erf": lambda x, y, A, B: apply("erf", x),
    "bell": lambda x, y, A, B: apply("bell", x),
    "y ** 1.5": lambda x, y, A, B: y[:2] ** 1.5,
    "np.arctan": lambda x, y, A, B: np.arctan(x),
    "np.tan": lambda x, y, A, B: np.tan(x),
    "np.hypot": lambda x, y, A, B: np.hypot(x, y),
    "np.logaddexp": lambda x, y, A, B: np.logaddexp(0, x),
    "np.linalg.norm": lambda x, y, A, B: np.linalg.norm(A, axis=0),
    "np.linalg.inv": lambda x, y, A, B: np.linalg.inv(A),
    "np.linalg.solve": lambda x, y, A, B: np.linalg.solve(A, x),
}
DECIDING: dict[str, Operation] = {
    "x < y": lambda x, y, A, B: x < y,
    "x <= 0": lambda x, y, A, B: x <= 0,
    "x > 0": lambda x, y, A, B: x > 0,
    "x >= 0.5": lambda x, y, A, B: x >= 0.5,
    "x == y": lambda x, y, A, B: x == y,
    "x != 0": lambda x, y, A, B: x != 0,
    "0 < x": lambda x, y, A, B: 0 < x,
    "x[0] > y[0]": lambda x, y, A, B: x[0] > y[0],
    "if x[0] > 0": lambda x, y, A, B: 1 if x[0] > 0 else 2,
    "if x[1] > 0": lambda x, y, A, B: 1 if x[1] > 0 else 2,
    "bool(x[0])": lambda x, y, A, B: bool(x[0]),
    "not x[0]": lambda x, y, A, B: not x[0],
    "0 in x": lambda x, y, A, B: 0 in x,
    "np.maximum(x, 0)": lambda x, y, A, B: np.maximum(x, 0),
    "np.maximum(0.0, x)": lambda x, y, A, B: np.maximum(0.0, x),
    "np.minimum(x, 0)": lambda x, y, A, B: np.minimum(x, 0),
    "np.maximum(x, y)": lambda x, y, A, B: np.maximum(x, y),
    "np.maximum(x, 0.125)": lambda x, y, A, B: np.maximum(x, 0.125) * 2,
    "np.maximum(x, zeros)": lambda x, y, A, B: np.maximum(x, np.zeros(3)) * 2,
    "np.maximum(x[0], 0)": lambda x, y, A, B: np.maximum(x[0], 0),
    "np.fmax": lambda x, y, A, B: np.fmax(x, 0) * 2,
    "max(x[0], 0)": lambda x, y, A, B: max(x[0], 0),
    "max(x)": lambda x, y, A, B: max(x),
    "x.max()": lambda x, y, A, B: x.max(),
    "np.max axis 0": lambda x, y, A, B: np.max(A, axis=0),
    "x.min()": lambda x, y, A, B: x.min(),
    "np.argmax": lambda x, y, A, B: np.argmax(x),
    "np.sort": lambda x, y, A, B: np.sort(x),
    "abs(x)": lambda x, y, A, B: abs(x),
    "np.abs": lambda x, y, A, B: np.abs(x),
    "np.fabs": lambda x, y, A, B: np.fabs(x),
    "abs(x[1])": lambda x, y, A, B: abs(x[1]),
    "np.sign": lambda x, y, A, B: np.sign(x) * 2,
    "np.clip": lambda x, y, A, B: np.clip(x, -1, 1) * 2,
    "x.clip": lambda x, y, A, B: x.clip(-1, 1) * 2,
    "np.heaviside": lambda x, y, A, B: np.heaviside(x, 0),
    "x[x < 0] = 0": lambda x, y, A, B: _set(x.copy(), x < 0, 0) * 2,
    "np.where(x > 0, x, 0.0)": lambda x, y, A, B: np.where(x > 0, x, 0.0) * 2,
    "np.select": lambda x, y, A, B: np.select([x > 0], [x], 0) * 2,
    "np.any": lambda x, y, A, B: np.any(x),
    "np.all": lambda x, y, A, B: np.all(x),
    "x.any()": lambda x, y, A, B: x.any(),
    "np.count_nonzero": lambda x, y, A, B: np.count_nonzero(x),
    "np.nonzero": lambda x, y, A, B: np.nonzero(x)[0],
    "np.array_equal": lambda x, y, A, B: np.array_equal(x, x),
    "np.allclose": lambda x, y, A, B: np.allclose(x, x),
    "np.ptp": lambda x, y, A, B: np.ptp(x),
    "np.unique": lambda x, y, A, B: np.unique(x),
    "np.round": lambda x, y, A, B: np.round(x),
    "np.floor": lambda x, y, A, B: np.floor(x),
    "x // 2": lambda x, y, A, B: x // 2,
    "x % 2": lambda x, y, A, B: x % 2,
    "np.median": lambda x, y, A, B: np.median(x),
    "np.linspace": lambda x, y, A, B: np.linspace(x[0], x[2], 4),
    "np.nan_to_num": lambda x, y, A, B: np.nan_to_num(x),
}
PREDICATES: dict[str, Operation] = {
    "np.isnan": lambda x, y, A, B: np.isnan(x),
    "np.isfinite": lambda x, y, A, B: np.isfinite(x),
    "np.isinf": lambda x, y, A, B: np.isinf(x),
    "np.isnan of one": lambda x, y, A, B: np.isnan(x[0]),
}
REFUSED: dict[str, Operation] = {
    "float(x[0])": lambda x, y, A, B: float(x[0]),
    "int(x[0])": lambda x, y, A, B: int(x[0]),
    "complex(x[0])": lambda x, y, A, B: complex(x[0]),
    "np.float64(x[0])": lambda x, y, A, B: np.float64(x[0]),
    "[...][x[0]]": lambda x, y, A, B: [1, 2, 3][x[0]],
    "range(x[2])": lambda x, y, A, B: range(x[2]),
    "f'{x[0]:.3f}'": lambda x, y, A, B: f"{x[0]:.3f}",
    "math.tanh": lambda x, y, A, B: math.tanh(x[0]),
    "astype(float)": lambda x, y, A, B: x.astype(float),
    "astype(np.float32)": lambda x, y, A, B: x.astype(np.float32),
    "np.asarray(x, float)": lambda x, y, A, B: np.asarray(x, dtype=float),
    "np.array(x, dtype=float)": lambda x, y, A, B: np.array(x, dtype=float),
    "sum dtype float": lambda x, y, A, B: np.sum(x, dtype=float),
    "x + 1j": lambda x, y, A, B: x + 1j,
    "x[0] * 1j": lambda x, y, A, B: x[0] * 1j,
    "x[0] + '1'": lambda x, y, A, B: x[0] + "1",
    "2 ** x": lambda x, y, A, B: 2**x,
    "x ** x": lambda x, y, A, B: y[:2] ** x[:2],
    "np.fft.fft": lambda x, y, A, B: np.fft.fft(x),
    "np.interp": lambda x, y, A, B: np.interp(x, [0, 1], [0, 1]),
}
FLOAT_BUFFERS: dict[str, Operation] = {
    "np.zeros[i] = scalar": lambda x, y, A, B: _set(np.zeros(3), 1, x[0]),
    "np.zeros[:] = x": lambda x, y, A, B: _set(np.zeros(3), slice(None), x),
    "np.zeros[1] = row": lambda x, y, A, B: _set(np.zeros((2, 3)), 1, x),
    "np.zeros += x": lambda x, y, A, B: _add_to(np.zeros(3), x),
    "np.zeros[0] += scalar": lambda x, y, A, B: _set(b := np.zeros(3), 0, b[0] + x[0]),
    "np.empty[0] = scalar": lambda x, y, A, B: _set(np.empty(3), 0, x[0]),
    "zeros_like dtype float": lambda x, y, A, B: _set(np.zeros_like(x, dtype=float), 0, x[0]),
    "multiply out": lambda x, y, A, B: np.multiply(x, 2, out=np.zeros(3)),
    "matmul out": lambda x, y, A, B: np.matmul(A, x, out=np.zeros(3)),
    "np.copyto": lambda x, y, A, B: _called(np.copyto, np.zeros(3), x),
    "np.add.at": lambda x, y, A, B: _called(np.add.at, np.zeros(3), [0, 1], x[:2]),
}


def refusal(error: BaseException | None) -> GradcheckError | None:
    """Our own error behind one of NumPy's, which `results.run` finds in the same way."""
    while error is not None:
        if isinstance(error, GradcheckError):
            return error
        error = error.__cause__ or error.__context__
    return None


def on(field: Field, operation: Operation) -> tuple[Any, GradcheckError | None]:
    """(the result, None) or (None, the refusal); anything else raised is let through."""
    try:
        with field.working(), np.errstate(all="ignore"):
            return operation(*(field.lift(array) for array in (x, y, A, B))), None
    except Exception as error:
        refused = refusal(error)
        if refused is None:
            raise
        return None, refused


def on_floats(operation: Operation) -> Any:
    with np.errstate(all="ignore"):
        return operation(x.copy(), y.copy(), A.copy(), B.copy())


def names(field: Field) -> tuple[str, ...]:
    return (field.name, field.inner.name) if isinstance(field, DualField) else (field.name,)


def number(field: Field, value: Any) -> float | None:
    """The native value as a float; None where it has none (a residue, a polynomial)."""
    if isinstance(field, DualField):
        assert float(number(field.inner, value.tangent.value) or 0.0) == 0, "a constant has no tangent"
        return number(field.inner, value.primal.value)
    if field.name in ("modular", "formal"):
        return None
    if field.name == "ball":
        return float(value.mid())
    if field.name == "rational":
        return int(value.p) / int(value.q)
    return float(value.v) if field.name == "rounded" else float(value)


def assert_value(field: Field, got: Any, wanted: Any, rounding: float) -> None:
    entries = np.asarray(got, dtype=object) if isinstance(got, list) else np.asarray(got)
    expected = np.asarray(wanted)
    assert entries.shape == expected.shape, f"shape {entries.shape}; wanted {expected.shape}"
    for entry, want in zip(entries.reshape(-1).tolist(), expected.reshape(-1).tolist(), strict=True):
        if isinstance(want, (bool, int)):
            assert isinstance(entry, (bool, int)) and entry == want, f"{entry!r}; wanted {want!r}"
            continue
        assert type(entry) is field.scalar, f"an entry is {type(entry).__name__} {entry!r}, no {field.name} scalar"
        value = number(field, entry.value)
        if value is None:
            assert rounding or entry.value == field.convert(want), f"{entry!r}; wanted {want!r}"
        else:
            assert abs(value - want) <= rounding * max(1.0, abs(want)), f"{entry!r}; wanted {want!r}"


every_field = pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)


@every_field
@pytest.mark.parametrize("name", EXACT)
def test_rational_operations_are_exact_on_every_scalar(field: Field, name: str) -> None:
    got, refused = on(field, EXACT[name])
    assert refused is None, refused
    assert_value(field, got, on_floats(EXACT[name]), rounding=0.0)


@every_field
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_their_value_or_are_refused_by_name(field: Field, name: str) -> None:
    got, refused = on(field, FUNCTIONS[name])
    if refused is None:
        assert_value(field, got, on_floats(FUNCTIONS[name]), rounding=1e-14)
    else:
        assert not any(field is FIELDS[real] for real in REAL), refused
        assert any(f"{known} scalars" in str(refused) for known in names(field)), refused


@every_field
@pytest.mark.parametrize("name", DECIDING)
def test_decisions_are_right_or_refused_by_name(field: Field, name: str) -> None:
    got, refused = on(field, DECIDING[name])
    if refused is None and field.name == "modular":
        # relu alone has a residue: its argument or 0.
        assert all(type(v) is field.scalar for v in np.ravel(got)), got
        return
    if refused is None:
        assert_value(field, got, on_floats(DECIDING[name]), rounding=1e-14)
    else:
        assert any(f"{known} scalars" in str(refused) for known in names(field)), refused
    common = (
        "x >",
        "x <",
        "x[0] >",
        "if ",
        "abs",
        "np.abs",
        "np.max",
        "np.min",
        "np.sign",
        "np.clip",
        "np.where",
        "max",
    )
    if name.startswith(common) and any(field is FIELDS[known] for known in ORDERED):
        assert refused is None, refused


@every_field
@pytest.mark.parametrize("name", PREDICATES)
def test_finiteness_is_answered(field: Field, name: str) -> None:
    got, refused = on(field, PREDICATES[name])
    assert refused is None, refused
    assert np.array_equal(got, on_floats(PREDICATES[name]))


@every_field
@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_value_is_refused_by_name(field: Field, name: str) -> None:
    got, refused = on(field, REFUSED[name])
    assert refused is not None, f"it gave {got!r}"
    assert isinstance(refused, UnsupportedOperation) and refused.operation, refused
    assert any(f"{known} scalars" in str(refused) for known in names(field)), refused


@every_field
@pytest.mark.parametrize("name", FLOAT_BUFFERS)
def test_float_buffers_are_refused_with_the_mend(field: Field, name: str) -> None:
    got, refused = on(field, FLOAT_BUFFERS[name])
    assert refused is not None, f"it gave {got!r}"
    assert field.name in str(refused)
    assert "np.zeros_like(problem.inputs, shape=...)" in str(refused), refused


@every_field
def test_float_literals_are_the_dyadic_rationals_that_they_are(field: Field) -> None:
    tenth = Fraction(0.1)
    assert tenth != Fraction(1, 10)
    with field.working():
        one = field.lift(np.ones(1))
        for got in (one * 0.1, one + 0.1 - 1, np.concatenate([one, [0.1]])[1:], _set(np.zeros_like(one), 0, 0.1)):
            entry = got.reshape(-1).tolist()[0]
            wanted = field.scalar(field.convert(tenth))
            if field.name == "rounded":
                assert abs(entry.value.v - 0.1) <= entry.value.e
            elif isinstance(field, DualField):
                assert field.inner.equal(entry.value.primal.value, wanted.value.primal.value)
            else:
                assert field.equal(entry.value, wanted.value), f"{entry} is not {wanted}"


@every_field
def test_plain_numbers_beside_scalars_never_add_up_in_floating_point(field: Field) -> None:
    # 0.1 + 0.2 rounds: two plain floats left in one array would give the rounded sum.
    exact = Fraction(0.1) + Fraction(0.2)
    assert exact != Fraction(0.1 + 0.2)
    with field.working():
        v = field.lift(np.ones(2))
        for made in (np.where(np.array([True, False]), v, 0.1), _set(v.copy(), 1, 0.1), np.append(v[:1], 0.1)):
            entry = (made + 0.2).reshape(-1).tolist()[1]
            if field.name == "rounded":
                assert abs(entry.value.v - float(exact)) <= entry.value.e
                continue
            if isinstance(field, DualField):
                assert field.inner.equal(entry.value.primal.value, field.inner.convert(exact))
            else:
                assert field.equal(entry.value, field.convert(exact)), entry


def test_a_long_polynomial_is_cut_in_messages_and_labels() -> None:
    field = FormalField(50)
    long = field.symbols("g", (40,)).sum()
    with pytest.raises(GradcheckError, match="numbers of two problems met") as refused:
        FormalField(50).lift(np.array([long]))
    assert len(str(refused.value)) < 150, len(str(refused.value))
    field.function("tanh", long.value)
    assert field.labels[39:] == ["g[39]", f"tanh({field.show(long.value)})"] and len(field.labels[40]) < 150


def test_functions_of_equal_polynomials_are_one_generator_and_of_others_another() -> None:
    field = FormalField(50)
    a, b = (field.symbol(name) for name in "ab")
    assert field.function("f", a + b) == field.function("f", b + a)
    seen = [field.function("f", a + b), field.function("f", a - b), field.function("f'", a + b), field.function("f", a)]
    seen += [field.jointly("e", 0, (a, b)), field.jointly("e", 1, (a, b)), field.jointly("e", 0, (b, a))]
    assert all(p != q for i, p in enumerate(seen) for q in seen[:i])
    assert field.used == 2 + len(seen)


@every_field
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), np.float32("nan")])
def test_constants_that_are_no_numbers(field: Field, number: Any) -> None:
    if field.name == "rounded":
        # It carries overflow as an error without a bound.
        assert not np.isfinite((field.lift(x) * number)[0].value.e)
        return
    with field.working(), pytest.raises(UnsupportedOperation, match="the constant"):
        field.lift(x) * number


@pytest.mark.parametrize("name", [n for n in FIELDS if n not in ("ball", "dual over balls", "rounded")])
def test_division_by_zero_is_refused_where_no_value_stands_for_it(name: str) -> None:
    field = FIELDS[name]
    for divide in (lambda a: a / 0, lambda a: 1 / (a - a), lambda a: (a - a) ** -1, lambda a: a[0] / 0):
        with field.working(), pytest.raises(UnsupportedOperation, match="division by zero"):
            divide(field.lift(x))


def test_a_ball_that_was_divided_by_zero_knows_it() -> None:
    field = FIELDS["ball"]
    with field.working():
        assert not np.isfinite(field.lift(x) / 0).any()


def test_comparisons_of_overlapping_balls_are_not_guessed() -> None:
    field = BallField(64)
    with field.working():
        third = field.lift(np.array([1.0])) / 3
        gap = third * 3 - 1
        for decide in (lambda: gap[0] > 0, lambda: gap == 0, lambda: bool(gap[0]), lambda: np.maximum(gap, 0)):
            with pytest.raises(Undecided, match="overlap"):
                decide()


@pytest.mark.parametrize("name", ["formal", "symbolic"])
def test_comparisons_of_undetermined_values_are_not_guessed(name: str) -> None:
    import sympy as sp

    formal = FormalField(8)
    expression = ExpressionField()
    v = formal.symbols("v", (2,)) if name == "formal" else expression.array([sp.Symbol("v", real=True)] * 2, (2,))
    for decide in (
        lambda: v[0] > 0,
        lambda: v == 1,
        lambda: bool(v[0]),
        lambda: 1 if v[0] else 2,
        lambda: v.max() if name == "formal" else max(v[0], 0),
        lambda: abs(v),
        lambda: np.sign(v),
        lambda: np.clip(v, -1, 1),
        lambda: np.any(v),
        lambda: 0.0 in v,
    ):
        with pytest.raises(Undecided, match=f"{name} scalars; .* depends on the values"):
            decide()


def test_residues_have_no_order() -> None:
    v = FIELDS["modular"].lift(x)
    for decide in (lambda: v[0] > 0, lambda: v == v, lambda: bool(v[0]), lambda: abs(v), lambda: np.sign(v)):
        with pytest.raises(Undecided, match="residues have no order"):
            decide()


def test_scalars_of_different_fields_do_not_mix() -> None:
    for one, other in (
        (BallField(64), BallField(128)),
        (ModularField(), ModularField(101)),
        (RationalField(), BallField()),
    ):
        with pytest.raises((GradcheckError, TypeError)):
            one.lift(x)[0] + other.lift(x)[0]
        with pytest.raises(GradcheckError):
            one.lift(other.lift(x))


@every_field
def test_arrays_keep_their_field(field: Field) -> None:
    with field.working():
        v, M = field.lift(x), field.lift(A)
        for made in (
            v + 1,
            M @ v,
            M.T,
            v[:2],
            np.zeros_like(v),
            np.outer(v, v),
            np.stack([v, v]),
            v.copy(),
            M.sum(axis=0),
        ):
            assert isinstance(made, FieldArray) and made.field is field


@every_field
def test_aliasing_is_numpys(field: Field) -> None:
    with field.working():
        v = field.lift(A)
        row = v[0]
        row[1] = 7.0
        assert_value(field, v[0, 1], 7.0, 0.0)
        kept = v[0, 1]
        v[0, 1] = 1.0
        assert_value(field, kept, 7.0, 0.0)
        total = v[0, 0]
        total += 1
        assert_value(field, v[0, 0], 1.0, 0.0)


def test_dual_numbers_carry_derivatives() -> None:
    field = DualField(PreciseField(40))
    inner = field.inner
    h = 1e-6
    functions: dict[str, Callable[[Any], Any]] = {
        "tanh": np.tanh,
        "exp": np.exp,
        "log": lambda v: np.log(v * v + 1),
        "sqrt": lambda v: np.sqrt(v * v + 1),
        "sin": np.sin,
        "cos": np.cos,
        "quotient": lambda v: (v + 1) / (v * v + 2),
        "power": lambda v: v**3 - v**-2,
        "relu": lambda v: np.maximum(v, 0),
        "abs": lambda v: abs(v),
        "log1p": lambda v: np.log1p(v * v),
        "cosh": lambda v: np.cosh(v),
    }
    for name, function in functions.items():
        with field.working():
            moved = function(field.join(inner.lift(x), inner.lift(np.ones(3))))
            tangents = np.array([float(t) for t in inner.natives(field.tangents(moved))])
        slopes = (function(x + h) - function(x - h)) / (2 * h)
        assert np.abs(tangents - slopes).max() < 1e-8, name


def test_rounded_numbers_contain_the_true_value() -> None:
    """Interval-like: at float32 the true value lies within the bound, and the bound is no wider than 1000 roundings."""
    field = RoundedField.for_dtype(np.float32)
    true = FIELDS["precise"]
    rng = np.random.default_rng(0)
    operations: dict[str, Operation] = {
        **{n: f for n, f in {**ARITHMETIC, **PRODUCTS, **SUMS}.items() if "**" not in n and "Fraction" not in n},
        **{n: FUNCTIONS[n] for n in ("np.tanh", "np.exp", "np.log1p", "np.cosh", "logistic", "sech^2")},
    }
    for name, operation in operations.items():
        arrays = [np.round(rng.uniform(0.1, 2, s) * 256) / 256 for s in ((3,), (3,), (3, 3), (3, 3))]
        got = np.atleast_1d(operation(*(field.lift(a) for a in arrays)))
        with true.working():
            exact = np.atleast_1d(operation(*(true.lift(a) for a in arrays)))
            exact = [float(v.value) for v in np.ravel(exact)]
        single = np.ravel(operation(*(a.astype(np.float32) for a in arrays)))
        for bounded, value, rounded in zip(np.ravel(got), exact, single, strict=True):
            allowed = bounded.value.e
            assert abs(bounded.value.v - value) <= allowed, f"{name}: {bounded} and {value}"
            assert abs(float(rounded) - value) <= allowed, f"{name}: {rounded} and {value}, allowed {allowed}"
            assert allowed <= 1000 * 2.0**-24 * max(1.0, abs(value)) * 30, f"{name}: {allowed} for {value}"


def test_the_logistic_function_of_one_float_is_that_of_an_array() -> None:
    values = [0.0, -0.0, 0.3, -0.3, 1.0, -1.0, 2.5, -2.5, 40.0, -40.0, -750.0, 1e300, math.inf, -math.inf, math.nan]
    alone = [apply("logistic", np.float64(v)) for v in values]
    np.testing.assert_array_equal(alone, apply("logistic", np.array(values)))


@pytest.mark.parametrize("operation", [lambda a: a + 1, lambda a: a * a, lambda a: a @ a, lambda a: np.tanh(a).T])
def test_norm_wise_every_entry_of_an_array_is_charged_as_the_largest(operation: Callable[[Any], Any]) -> None:
    values = np.array([[1.0, 1e-6], [3.0, 0.1]])
    mixed, alone = (kind.for_dtype(np.float32) for kind in (NormwiseField, RoundedField))
    charged = mixed.errors(operation(mixed.lift(values)))
    assert charged.min() == charged.max() > alone.errors(operation(alone.lift(values))).max()
