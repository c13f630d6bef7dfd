"""NumPy's functions and ufuncs on `ResidueArray`: what each does to residues. What is not here is refused."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import numpy_functions as FN
from ...compositions import COMPOSITIONS, solve_arguments
from ...errors import FloatsWanted, Undecided, UnsupportedOperation
from ...functions import COMPOSED, name_of
from ...private import NO_VALUE
from ..scalar import as_halves
from .array import LIKE_HINT, NO_ORDER, NUMBERS, Operand, ResidueArray, ResidueField, has_residues, kind_of
from .degrees import CONSTANT, Cell
from .direct import add_at


def _sum_like(operation: str) -> Callable[..., Operand]:
    def run(field: ResidueField, x: Operand, y: Operand) -> Operand:
        return Operand(getattr(field.modulus, operation)(x.raw, y.raw), x.degree.join(y.degree))

    return run


def _product_like(operation: str) -> Callable[..., Operand]:
    def run(field: ResidueField, x: Operand, y: Operand) -> Operand:
        return Operand(getattr(field.modulus, operation)(x.raw, y.raw), x.degree.times(y.degree))

    return run


_add, _subtract, _multiply = _sum_like("add"), _sum_like("subtract"), _product_like("multiply")
_matmul = _product_like("matmul")


def _negative(field: ResidueField, x: Operand) -> Operand:
    return Operand(np.negative(x.raw), x.degree)


def _positive(field: ResidueField, x: Operand) -> Operand:
    return Operand(np.array(x.raw), x.degree)


def _square(field: ResidueField, x: Operand) -> Operand:
    return _multiply(field, x, x)


def _reciprocal(field: ResidueField, x: Operand) -> Operand:
    return Operand(field.modulus.inverse(x.raw), x.degree.inverse(int(np.size(x.raw))))


def _divide(field: ResidueField, x: Operand, y: Operand) -> Operand:
    return _multiply(field, x, _reciprocal(field, y))


def _vecdot(field: ResidueField, x: Operand, y: Operand) -> Operand:
    return Operand(field.modulus.einsum("...i,...i->...", x.raw, y.raw), x.degree.times(y.degree))


def _matvec(field: ResidueField, x: Operand, y: Operand) -> Operand:
    return Operand(field.modulus.einsum("...ij,...j->...i", x.raw, y.raw), x.degree.times(y.degree))


def _vecmat(field: ResidueField, x: Operand, y: Operand) -> Operand:
    return Operand(field.modulus.einsum("...i,...ij->...j", x.raw, y.raw), x.degree.times(y.degree))


_ARITHMETIC: dict[np.ufunc, Callable[..., Operand]] = {
    np.add: _add, np.subtract: _subtract, np.multiply: _multiply, np.divide: _divide, np.matmul: _matmul,
    np.negative: _negative, np.positive: _positive, np.conjugate: _positive, np.square: _square,
    np.reciprocal: _reciprocal,
}  # fmt: skip
for _name, _operation in (("vecdot", _vecdot), ("matvec", _matvec), ("vecmat", _vecmat)):
    if hasattr(np, _name):  # numpy 2.0 has the first, 2.2 all three
        _ARITHMETIC[getattr(np, _name)] = _operation

_FINITE = {np.isfinite: True, np.isnan: False, np.isinf: False}
_ORDERING = {
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.maximum, np.minimum, np.fmax,
    np.fmin, np.sign, np.absolute, np.fabs, np.floor, np.ceil, np.rint, np.trunc, np.signbit, np.copysign, np.heaviside,
    np.logical_not, np.logical_and, np.logical_or, np.logical_xor,
}  # fmt: skip


def _refuse(field: ResidueField, name: str, ordering: bool = False) -> Any:
    if ordering:
        raise Undecided(name, field.name, NO_ORDER)
    raise UnsupportedOperation(name, field.name)


def _is_zero(x: Any) -> bool:
    return isinstance(x, NUMBERS) and x == 0


def _power(field: ResidueField, base: Any, exponent: Any) -> Any:
    if type(exponent) is np.ndarray and exponent.ndim == 0:
        exponent = exponent.item()
    if not isinstance(exponent, NUMBERS) or not np.isfinite(float(exponent)):
        hint = "plain numbers are; np.exp(n * np.log(x)) may do"
        raise UnsupportedOperation(f"the power {exponent!r}", field.name, hint)
    halves = as_halves(exponent)
    if halves is None:
        return np.exp(exponent * np.log(field.lift(base)))
    n = halves if halves % 2 else halves // 2
    x = field.operand(np.sqrt(field.lift(base)) if halves % 2 else base)
    power = Operand(field.modulus.power(x.raw, abs(n)), x.degree.power(abs(n)))
    return field.carry(*(power if n >= 0 else _reciprocal(field, power)))


def call_ufunc(
    field: ResidueField, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call a ufunc or one of its methods on residues. Raises `UnsupportedOperation` or `Undecided` by name."""
    name = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    out = kwargs.pop("out", None)
    target = out[0] if isinstance(out, tuple) else out
    if target is not None and not isinstance(target, ResidueArray):
        raise FloatsWanted(f"writing {name} into {kind_of(target)}", field.name, LIKE_HINT)
    if kwargs.pop("dtype", None) not in (None, float, np.float64, np.dtype(np.float64)):
        raise UnsupportedOperation(f"{name} with a dtype", field.name)
    if ufunc.__name__ == "_ones_like":  # NumPy before 2.3 takes x ** 0 to it
        result = _full_like(field, inputs[0], 1)
    elif method in ("reduce", "accumulate"):
        result = _along(field, ufunc, method, name, inputs[0], kwargs)
    elif any(
        value is not True and key == "where" or key not in ("where", "casting", "order", "subok")
        for key, value in kwargs.items()
    ):
        raise UnsupportedOperation(f"{name} with {', '.join(kwargs)}", field.name)
    elif method == "outer" and ufunc in _ARITHMETIC and ufunc.nin == 2 and ufunc.signature is None:
        x, y = (field.operand(v) for v in inputs)
        x = Operand(np.reshape(x.raw, np.shape(x.raw) + (1,) * np.ndim(y.raw)), x.degree)
        result = field.carry(*_ARITHMETIC[ufunc](field, x, y))
    elif method == "at" and ufunc is np.add:
        return add_at(field, *inputs)
    elif method != "__call__":
        _refuse(field, name)
    else:
        result = _call(field, ufunc, name, inputs)
    if target is None:
        return result
    if np.shape(result) != target.shape:
        np.broadcast_to(np.empty(np.shape(result)), target.shape)  # NumPy's error where the result does not fit
    field.write(target, Ellipsis, result)
    return target


def _call(field: ResidueField, ufunc: np.ufunc, name: str, inputs: tuple[Any, ...]) -> Any:
    if ufunc in _ARITHMETIC:
        return field.carry(*_ARITHMETIC[ufunc](field, *(field.operand(x) for x in inputs)))
    function = name_of(ufunc)
    if function is not None:
        return inputs[0].apply_function(function)
    if ufunc in COMPOSED:
        return COMPOSED[ufunc](*(field.lift(x) for x in inputs))
    if ufunc in _FINITE:
        return np.full(inputs[0].shape, _FINITE[ufunc])[()]
    if ufunc in (np.power, np.float_power):
        return _power(field, *inputs)
    if ufunc in (np.maximum, np.minimum) and any(_is_zero(x) for x in inputs):
        x = inputs[0] if _is_zero(inputs[1]) else inputs[1]
        return x.apply_function("relu") if ufunc is np.maximum else -(-x).apply_function("relu")
    return _refuse(field, name, ufunc in _ORDERING)


def _along(field: ResidueField, ufunc: np.ufunc, method: str, name: str, value: Any, kwargs: dict[str, Any]) -> Any:
    if ufunc is not np.add:
        _refuse(field, name, ufunc in _ORDERING)
    axis, keepdims = kwargs.pop("axis", 0), kwargs.pop("keepdims", False)
    initial, where = kwargs.pop("initial", None), kwargs.pop("where", True)
    plain_start = initial is None or initial is NO_VALUE or _is_zero(initial)
    if not plain_start or where is not True or kwargs:
        raise UnsupportedOperation(f"{name} with an initial value or a mask", field.name)
    x = field.operand(value)
    if method == "accumulate":
        return field.carry(field.modulus.cumsum(x.raw, axis), x.degree)
    return field.carry(field.modulus.sum(x.raw, axis, keepdims), x.degree)


def _plain(field: ResidueField, value: Any, found: list[ResidueArray], lift: bool) -> Any:
    """Replace residue arrays by raw floats and collect them in `found`; with `lift`, convert plain numbers too."""
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(field, v, found, lift) for v in value)
    if isinstance(value, ResidueArray):
        found.append(value)
        return field.operand(value).raw
    return field.operand(value).raw if lift else value


_EVERY = tuple(range(32))
_DATA: dict[Any, tuple[int, ...]] = {
    np.append: (0, 1), np.insert: (0, 2), np.where: (1, 2), np.select: (1, 2), np.compress: (1,),
    np.broadcast_arrays: _EVERY, np.atleast_1d: _EVERY, np.atleast_2d: _EVERY, np.atleast_3d: _EVERY,
}  # fmt: skip
"""The positional arguments that hold entries, where that is not the first alone."""
_MOVES = FN.REARRANGES | FN.SPLITS | FN.JOINS | FN.PADS | {np.transpose}
"""Functions that move entries and put zeros between them; no arithmetic."""
_UNDECIDED = FN.DECIDES | FN.SELECTS


def _move(field: ResidueField, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if has_residues(tuple(kwargs.values())) or any(kwargs.get(k) is not None for k in ("out", "dtype")):
        operation = f"np.{func.__name__} with {', '.join(kwargs)}"
        raise UnsupportedOperation(operation, field.name, "pass arrays by position")
    found: list[ResidueArray] = []
    data = _DATA.get(func, (0,))
    raw = [_plain(field, value, found, True) if i in data else value for i, value in enumerate(args)]
    if has_residues(tuple(value for i, value in enumerate(args) if i not in data)):
        raise UnsupportedOperation(f"np.{func.__name__} guided by residues", field.name, NO_ORDER)
    joined = Cell()
    for array in found:
        joined.degree = joined.degree.join(array.cell.degree)

    def rewrap(result: Any) -> Any:
        if isinstance(result, (list, tuple)):
            return type(result)(rewrap(r) for r in result)
        # A view shares its base's bound, so that writing through it is seen there.
        cell = next((a.cell for a in found if np.may_share_memory(a.view(np.ndarray), np.asarray(result))), joined)
        return field.carry(result, cell)

    return rewrap(func(*raw, **kwargs))


def _full_like(field: ResidueField, a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: bool = True,
               shape: Any = None, device: Any = None) -> Any:  # fmt: skip
    shape = np.shape(a) if shape is None else shape
    if dtype is not None and np.dtype(dtype) != np.float64:
        return np.full(shape, fill_value, dtype=dtype)
    raw, degree = field.operand(fill_value)
    out = field.carry(np.array(np.broadcast_to(raw, shape)), degree)
    out.flags.writeable = True
    return out


def _filled(value: int) -> Callable[..., Any]:
    return lambda field, a, *args, **kwargs: _full_like(field, a, value, *args, **kwargs)


def _outer(field: ResidueField, a: Any, b: Any) -> Any:
    x, y = field.operand(a), field.operand(b)
    column, row = Operand(np.reshape(x.raw, (-1, 1)), x.degree), Operand(np.reshape(y.raw, (1, -1)), y.degree)
    return field.carry(*_multiply(field, column, row))


def _tensordot(field: ResidueField, a: Any, b: Any, axes: Any = 2) -> Any:
    x, y = field.operand(a), field.operand(b)
    dims = np.ndim(x.raw), np.ndim(y.raw)
    if isinstance(axes, (int, np.integer)):
        axes = (range(dims[0] - axes, dims[0]), range(axes))
    over_a, over_b = ([int(i) for i in np.atleast_1d(np.asarray(axis, dtype=int))] for axis in axes)
    left = list(string.ascii_lowercase[: dims[0]])
    right = list(string.ascii_uppercase[: dims[1]])
    for i, j in zip(over_a, over_b, strict=True):
        if x.raw.shape[i] != y.raw.shape[j]:
            raise ValueError(f"shape-mismatch for sum: {x.raw.shape} and {y.raw.shape} over axes {axes}")
        right[j] = left[i]
    output = [c for c in left if c not in right] + [c for c in right if c not in left]
    return _einsum(field, f"{''.join(left)},{''.join(right)}->{''.join(output)}", a, b)


def _dot(field: ResidueField, a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    if np.ndim(b) <= 2:
        return np.matmul(a, b)
    return _tensordot(field, a, b, ([np.ndim(a) - 1], [np.ndim(b) - 2]))


def _inner(field: ResidueField, a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    return _tensordot(field, a, b, ([np.ndim(a) - 1], [np.ndim(b) - 1]))


def _vdot(field: ResidueField, a: Any, b: Any) -> Any:
    return np.matmul(np.ravel(a), np.ravel(b))


def _einsum(field: ResidueField, subscripts: Any, *operands: Any, optimize: Any = None, **rest: Any) -> Any:
    if not isinstance(subscripts, str) or rest:
        raise UnsupportedOperation("np.einsum without a string of subscripts", field.name)
    parts = [field.operand(x) for x in operands]
    degree = CONSTANT
    for part in parts:
        degree = degree.times(part.degree)
    return field.carry(field.modulus.einsum(subscripts, *(np.asarray(part.raw) for part in parts)), degree)


def _kron(field: ResidueField, a: Any, b: Any) -> Any:
    x, y = field.operand(a), field.operand(b)
    n = max(np.ndim(x.raw), np.ndim(y.raw))
    shape_a = (1,) * (n - np.ndim(x.raw)) + np.shape(x.raw)
    shape_b = (1,) * (n - np.ndim(y.raw)) + np.shape(y.raw)
    left = np.reshape(x.raw, [size for k in shape_a for size in (k, 1)])
    right = np.reshape(y.raw, [size for k in shape_b for size in (1, k)])
    product = _multiply(field, Operand(left, x.degree), Operand(right, y.degree))
    shape = [i * j for i, j in zip(shape_a, shape_b, strict=True)]
    return field.carry(np.reshape(product.raw, shape), product.degree)


def _solve(field: ResidueField, a: Any, b: Any = None) -> Any:
    n, vector = solve_arguments(a, b := np.eye(len(a)) if b is None else b)
    x, y = field.operand(a), field.operand(b)
    solution = field.modulus.solve(np.asarray(x.raw), np.reshape(y.raw, (n, -1)))
    return field.carry(solution.reshape(n) if vector else solution, x.degree.solution(y.degree, n))


def _composed(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda field, a, *args, **kwargs: function(field.lift(a), *args, **kwargs)


def _method(name: str) -> Callable[..., Any]:
    return lambda field, a, *args, **kwargs: getattr(field.lift(a), name)(*args, **kwargs)


def _copyto(field: ResidueField, dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    if where is True:
        field.write(dst, Ellipsis, src)
    else:
        mask = np.broadcast_to(where, np.shape(dst))
        field.write(dst, mask, np.broadcast_to(field.lift(src), np.shape(dst))[mask])


def _fill_diagonal(field: ResidueField, a: Any, val: Any, wrap: bool = False) -> None:
    if np.ndim(a) != 2 or wrap:
        raise UnsupportedOperation("np.fill_diagonal of other than a matrix", field.name)
    steps = np.arange(min(a.shape))
    field.write(a, (steps, steps), val)


def _pad(field: ResidueField, array: Any, pad_width: Any, mode: Any = "constant", **rest: Any) -> Any:
    if mode != "constant" or rest:
        raise UnsupportedOperation("np.pad other than with zeros", field.name)
    return _move(field, np.pad, (array, pad_width), {})


def _diff(
    field: ResidueField, a: Any, n: int = 1, axis: int = -1, prepend: Any = NO_VALUE, append: Any = NO_VALUE
) -> Any:
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    moved: Any = np.moveaxis(field.lift(a), axis, 0)
    before, after = (() if end is NO_VALUE else (_end(field, end, moved, axis),) for end in (prepend, append))
    moved = np.concatenate([*before, moved, *after])
    for _ in range(n):
        moved = moved[1:] - moved[:-1]
    return np.moveaxis(moved, 0, axis)


def _end(field: ResidueField, end: Any, moved: Any, axis: int) -> Any:
    """Return what is put before or after an array along its first axis; one number stands for a whole slice."""
    lifted = field.lift(end)
    return np.moveaxis(lifted, axis, 0) if lifted.ndim else np.broadcast_to(lifted, (1, *moved.shape[1:]))


def _made_like(func: Any) -> Callable[..., Any]:
    return lambda field, *args, **kwargs: field.lift(func(*args, **{k: v for k, v in kwargs.items() if k != "like"}))


_HANDLERS: dict[Any, Callable[..., Any]] = {
    **{func: _filled(value) for func, value in FN.FILLS.items()}, np.full_like: _full_like,
    np.outer: _outer, np.tensordot: _tensordot, np.dot: _dot, np.inner: _inner, np.vdot: _vdot, np.einsum: _einsum,
    np.kron: _kron, np.sum: _method("sum"), np.mean: _method("mean"), np.cumsum: _method("cumsum"),
    np.trace: _method("trace"), np.copy: _method("copy"), np.real: _method("__pos__"), np.copyto: _copyto,
    np.fill_diagonal: _fill_diagonal, np.diff: _diff, np.pad: _pad,
    **{func: _composed(function) for func, function in COMPOSITIONS.items()}, np.linalg.solve: _solve,
    np.linalg.inv: _solve,
    np.array_repr: lambda field, a, *rest, **kwargs: repr(a), np.array_str: lambda field, a, *rest, **kwargs: str(a),
    np.array2string: lambda field, a, *rest, **kwargs: str(a),
    **{func: _made_like(func) for func in (np.zeros, np.ones, np.empty, np.full, np.eye, np.identity)},
}  # fmt: skip


def call_function(field: ResidueField, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a NumPy function on residues. Raises `UnsupportedOperation` or `Undecided` by name."""
    if func in _HANDLERS:
        out = kwargs.pop("out", None)
        result = _HANDLERS[func](field, *args, **kwargs)
        if out is None:
            return result
        field.write(out, Ellipsis, result)
        return out
    if func in _MOVES:
        return _move(field, func, args, kwargs)
    if func in FN.INQUIRES:
        return func(*(_plain(field, value, [], False) for value in args), **kwargs)
    module = getattr(func, "__module__", "").replace("numpy", "np")
    return _refuse(field, f"{module}.{func.__name__}", func in _UNDECIDED)


ResidueArray.answer_ufunc = staticmethod(call_ufunc)
ResidueArray.answer_function = staticmethod(call_function)
