"""Residues in float arrays against Python's integers, with no tolerance anywhere."""

from __future__ import annotations

import copy
import math
import operator
import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.reference.errors import GradcheckError, Undecided, UnsupportedOperation
from gradcheck.reference.scalars.residues import direct as residue_direct
from gradcheck.reference.scalars.residues.array import ResidueArray, ResidueField
from gradcheck.reference.scalars.residues.dispatch import call_ufunc
from gradcheck.reference.scalars.residues.modular import ModularField

PRIMES = (3, 251, 8388593, 2**26 - 5, 134217689, 2**31 - 1)
FIELDS = {p: ResidueField(p, seed=1) for p in PRIMES}
BIG = FIELDS[2**31 - 1]
fields = st.sampled_from(sorted(PRIMES)).map(FIELDS.__getitem__)
seeds = st.integers(0, 2**32 - 1)


def ints(field, array):
    """The canonical residues as Python integers in an object array."""
    return field.residues(array).astype(object)


def assert_residues(field, got, wanted, what):
    assert isinstance(got, ResidueArray), f"{what} gave {type(got).__name__}, not a ResidueArray"
    wanted = np.asarray(np.asarray(wanted, dtype=object) % field.prime, dtype=object)
    assert got.shape == wanted.shape, f"{what} modulo {field.prime} has shape {got.shape}; wanted {wanted.shape}"
    wrong = ints(field, got) != wanted
    assert not np.any(wrong), f"{what} modulo {field.prime}: {np.sum(wrong)} of {got.size} residues are wrong"
    bound = field.modulus.bound
    raw = np.abs(np.asarray(got))
    assert not np.any(raw > bound), f"{what} modulo {field.prime} left an entry above the bound {bound}"


ELEMENTWISE = {
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "x * y": lambda x, y: x * y,
    "-x": lambda x, y: -x,
    "+x": lambda x, y: +x,
    "x ** 2": lambda x, y: x**2,
    "x ** 5": lambda x, y: x**5,
    "x ** 0": lambda x, y: x**0,
    "np.square(x)": lambda x, y: np.square(x) if x.dtype != object else x * x,
    "1 - x ** 2": lambda x, y: 1 - x**2,
    "2 * x - 3 * y": lambda x, y: 2 * x - 3 * y,
    "x.sum()": lambda x, y: x.sum(),
    "x.sum(axis=0)": lambda x, y: x.sum(axis=0),
    "np.sum(x, axis=1, keepdims=True)": lambda x, y: np.sum(x, axis=1, keepdims=True),
    "np.cumsum(x, axis=1)": lambda x, y: np.cumsum(x, axis=1),
    "np.cumsum(x)": lambda x, y: np.cumsum(x),
    "x.T": lambda x, y: x.T,
    "x @ y.T": lambda x, y: x @ y.T,
    "x[0] @ y[0]": lambda x, y: x[0] @ y[0],
    "x @ y[0]": lambda x, y: x @ y[0],
    "x[0] @ y.T": lambda x, y: x[0] @ y.T,
    "np.dot(x, y.T)": lambda x, y: np.dot(x, y.T),
    "x.dot(y[0])": lambda x, y: x.dot(y[0]),
    "np.inner(x, y)": lambda x, y: np.inner(x, y),
    "np.vdot(x, y)": lambda x, y: np.vdot(x, y),
    "np.outer(x, y)": lambda x, y: np.outer(x, y),
    "np.multiply.outer(x, y)": lambda x, y: np.multiply.outer(x, y),
    "np.kron(x, y)": lambda x, y: np.kron(x, y),
    "np.tensordot(x, y, 2)": lambda x, y: np.tensordot(x, y, 2),
    "np.tensordot(x, y, ([1], [1]))": lambda x, y: np.tensordot(x, y, ([1], [1])),
    "np.trace(x @ y.T)": lambda x, y: np.trace(x @ y.T),
    "np.diff(x)": lambda x, y: np.diff(x),
    "np.concatenate": lambda x, y: np.concatenate([x, y], axis=1),
    "np.stack": lambda x, y: np.stack([x, y]),
    "np.vstack of rows": lambda x, y: np.vstack([x[0], y]),
    "np.where": lambda x, y: np.where(np.arange(x.shape[1]) % 2 == 0, x, y),
    "np.where with a number": lambda x, y: np.where(np.arange(x.shape[1]) % 2 == 0, x, 0),
    "np.tile": lambda x, y: np.tile(x, (2, 1)),
    "np.repeat": lambda x, y: np.repeat(x, 2, axis=0),
    "np.diag": lambda x, y: np.diag(x[0]),
    "np.tril": lambda x, y: np.tril(x),
    "np.roll": lambda x, y: np.roll(x, 1),
    "np.flip": lambda x, y: np.flip(x, 0),
    "np.pad": lambda x, y: np.pad(x, 1),
    "np.take": lambda x, y: np.take(x, 0, axis=1),
    "np.full_like": lambda x, y: np.full_like(x, 7),
    "np.broadcast_to": lambda x, y: np.broadcast_to(x[0], x.shape),
    "np.moveaxis": lambda x, y: np.moveaxis(x[None], 0, 2),
    "fancy index": lambda x, y: x[np.arange(len(x)), 0],
    "np.eye(n) @ x": lambda x, y: np.eye(len(x)).astype(int).astype(x.dtype) @ x,
}


@pytest.mark.parametrize("what", ELEMENTWISE)
@given(field=fields, seed=seeds, rows=st.integers(1, 4), columns=st.integers(1, 5))
@settings(max_examples=25)
def test_operations_agree_with_integers(what, field, seed, rows, columns):
    rng = np.random.default_rng(seed)
    x, y = field.random((rows, columns), rng), field.random((rows, columns), rng)
    wanted = ELEMENTWISE[what](ints(field, x), ints(field, y))
    assert_residues(field, ELEMENTWISE[what](x, y), wanted, what)


EINSUMS = (
    ("ij,jk->ik", 2), ("ij,jk", 2), ("ij,ij->", 2), ("ij,kj->ki", 2), ("i,j->ji", 2), ("tij,tj->ti", 2), ("ii->i", 1),
    ("ii", 1), ("ij->ji", 1), ("ij->j", 1), ("ii,ij->j", 2), ("ij,kl->il", 2), ("bij,bjk->bik", 2), ("i,i->i", 2),
    ("ij,jk,kl->il", 3), ("...ij,...jk->...ik", 2), ("...i,i", 2), ("i...->...", 1), ("ij,i,j->", 3), ("i,ij->ij", 2),
)  # fmt: skip


@pytest.mark.parametrize("subscripts", [s for s, _ in EINSUMS])
@given(field=fields, seed=seeds)
@settings(max_examples=20)
def test_einsum_agrees_with_integers(subscripts, field, seed):
    rng = np.random.default_rng(seed)
    sizes = {c: int(rng.integers(1, 4)) for c in "ijklbt"}
    shapes = [
        [2] * 2 * term.startswith("...") + [sizes[c] for c in term.replace("...", "")] + [3] * term.endswith("...")
        for term in subscripts.split("->")[0].split(",")
    ]
    operands = [field.random(tuple(shape), rng) for shape in shapes]
    wanted = np.einsum(subscripts, *(ints(field, x) for x in operands))
    assert_residues(field, np.einsum(subscripts, *operands), wanted, f"einsum {subscripts}")


def test_einsum_refuses_what_does_not_fit():
    x = BIG.lift(np.ones((2, 3)))
    for subscripts in ("ij,jk->ik", "ijk->i", "ij,ij->", "ij->k", "ij->ii"):
        with pytest.raises(GradcheckError, match="do not fit operands"):
            np.einsum(subscripts, x, x) if "," in subscripts and "k" in subscripts else np.einsum(subscripts, x)


def test_sums_refuse_more_terms_than_stay_exact():
    many = np.broadcast_to(BIG.lift(np.ones(1)), (2**24,))
    with pytest.raises(UnsupportedOperation, match="a sum of 16777216 terms"):
        many.sum()


@pytest.mark.parametrize("number", [4, 1, 0, -7, 2, 2**31 + 11, 2**61 - 1, 9])
def test_only_odd_primes_below_2_to_31(number):
    with pytest.raises(GradcheckError, match="odd prime below"):
        ResidueField(number)


@given(field=fields, number=st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.booleans()))
def test_numbers_convert_as_dyadic_rationals(field, number):
    ratio = Fraction(number)
    wanted = ratio.numerator * pow(ratio.denominator, -1, field.prime) % field.prime
    assert field.convert(number) == wanted, f"convert({number!r}) modulo {field.prime} is wrong"
    arrays = [np.array([number, 0.5])] if isinstance(number, float) else [np.array([number, 1], dtype=object)]
    for array in arrays:
        got = field.residues(field.lift(array))[0]
        assert got == wanted, f"lift of an array holding {number!r} modulo {field.prime} is wrong"
    x = field.lift(np.ones(2))
    assert_residues(field, number * x, np.array([wanted] * 2), f"{number!r} * ones")
    assert_residues(field, x - number, np.array([1 - wanted] * 2), f"ones - {number!r}")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.int64, np.uint64, np.bool_])
def test_arrays_of_every_number_type_convert(dtype):
    array = np.array([0, 1, 3, 100]).astype(dtype)
    if array.dtype.kind == "f":
        array = (array / dtype(7)).astype(dtype)
    if array.dtype.itemsize == 8 and array.dtype.kind in "iu":
        array[-1] = np.iinfo(dtype).max
    wanted = [BIG.convert(v) for v in array]
    assert BIG.residues(array).tolist() == wanted, f"an array of {np.dtype(dtype)} converts wrongly"
    assert_residues(BIG, array + BIG.lift(np.zeros(4)), wanted, f"{np.dtype(dtype)} array + residues")


def test_fractions_convert_and_their_poles_do_not():
    assert BIG.convert(Fraction(1, 3)) * 3 % BIG.prime == 1, "1/3 times 3 is not 1"
    with pytest.raises(UnsupportedOperation, match="its denominator is a multiple of the prime"):
        FIELDS[251].convert(Fraction(1, 251))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_are_refused(bad):
    x = BIG.lift(np.ones(2))
    for attempt in (lambda: BIG.convert(bad), lambda: BIG.lift(np.array([1.5, bad])), lambda: x + bad, lambda: bad * x):
        with pytest.raises(UnsupportedOperation, match="the constant"):
            attempt()


def test_lift_passes_residues_through_and_wrap_checks():
    x = BIG.random((2, 3), np.random.default_rng(0))
    assert BIG.lift(x) is x, "lift made a new array of residues of its own field"
    rows = BIG.lift([[x[0], 0 * x[0]], [x[1] ** 2, x[1]]])
    a = ints(BIG, x)
    assert_residues(BIG, rows, [[a[0], 0 * a[0]], [a[1] ** 2, a[1]]], "a list of lists of rows")
    assert rows.degree == 2, f"a list of rows lost its degree: {rows.degree}"
    assert_residues(BIG, BIG.wrap(np.array([2.0**40, -1])), [2**40, -1], "wrap")
    for bad in (0.5, 2.0**53, math.nan):
        with pytest.raises(GradcheckError, match="wrap takes integers"):
            BIG.wrap(np.array([bad]))


def test_other_fields_and_other_scalars_are_refused():
    x, other = BIG.lift(np.ones(2)), ResidueField(2**31 - 1, seed=2).lift(np.ones(2))
    with pytest.raises(GradcheckError, match="numbers of two problems met"):
        x + other
    objects = ModularField().lift(np.ones(2))
    for attempt in (lambda: x + objects[0], lambda: x + objects, lambda: BIG.lift(objects), lambda: BIG.lift(["a"]),
                    lambda: x.__setitem__(0, objects[0]), lambda: x * 1j):  # fmt: skip
        with pytest.raises(GradcheckError, match="expected|numbers of two problems met"):
            attempt()
    assert_residues(BIG, x + ResidueField(2**31 - 1, seed=1).lift(np.ones(2)), [2, 2], "the same field made twice")


@given(field=fields, seed=seeds, size=st.integers(1, 40))
def test_division_inverts_multiplication(field, seed, size):
    rng = np.random.default_rng(seed)
    x, y = field.random(size, rng), field.lift(rng.integers(1, field.prime, size))
    assert_residues(field, x / y * y, ints(field, x), "x / y * y")
    assert_residues(field, (1 / y) * y, np.ones(size, dtype=int), "1 / y * y")
    assert_residues(field, np.reciprocal(y) * y**3, ints(field, y) ** 2, "y ** 3 / y")
    assert_residues(field, y**-2 * y**2, np.ones(size, dtype=int), "y ** -2 * y ** 2")


@pytest.mark.parametrize("field", FIELDS.values(), ids=str)
def test_division_by_zero_is_refused(field):
    x = field.lift(np.arange(3))
    for attempt in (lambda: 1 / x, lambda: x / 0, lambda: x / (x - x), lambda: x**-1, lambda: x / field.prime):
        with pytest.raises(UnsupportedOperation, match="division by zero"):
            attempt()


UNDECIDED = {
    "np.less": lambda x: x < 0,
    "np.equal": lambda x: x == 0,
    "np.not_equal": lambda x: x != x,
    "np.greater": lambda x: x[0] > 0,
    "np.less ": lambda x: min(1, x[0]),
    "np.maximum": lambda x: np.maximum(x, x),
    "np.minimum ": lambda x: np.minimum(x, 1),
    "np.maximum.reduce": lambda x: np.maximum.reduce(x),
    "np.sign": np.sign,
    "np.absolute": abs,
    "np.floor": np.floor,
    "np.clip": lambda x: np.clip(x, -1, 1),
    "np.allclose": lambda x: np.allclose(x, x),
    "np.array_equal": lambda x: np.array_equal(x, x),
    "np.argmax": np.argmax,
    "np.any": np.any,
    "method max": lambda x: x.max(),
    "method argmax": lambda x: x.argmax(),
    "method sort": lambda x: x.sort(),
    "method any": lambda x: x.any(),
    "method clip": lambda x: x.clip(0, 1),
    "truth value": lambda x: bool(x[0]),
    "np.equal  ": lambda x: 3 in x,
}
UNSUPPORTED = {
    "np.exp2": np.exp2,
    "np.floor_divide": lambda x: x // 2,
    "np.remainder": lambda x: x % 2,
    "np.subtract.at": lambda x: np.subtract.at(x, [0], 1),
    "np.multiply.reduce": np.multiply.reduce,
    "np.prod": np.prod,
    "np.interp": lambda x: np.interp(x, [0, 1], [0, 1]),
    "np.convolve": lambda x: np.convolve(x, x),
    "np.cov": np.cov,
    "np.nan_to_num": np.nan_to_num,
    "the power  ": lambda x: 2**x,
    "with a dtype": lambda x: np.add(x, 1, dtype=np.float32),
    "with where": lambda x: np.add(x, 1, where=np.array([True, False, True])),
    "a mask": lambda x: np.sum(x, where=np.array([True, False, True])),
    "method prod": lambda x: x.prod(),
    "method item": lambda x: x.item(),
    "method tolist": lambda x: x.tolist(),
    "method tobytes": lambda x: x.tobytes(),
    "method put": lambda x: x.put([0], 1),
    "ndarray.flat": lambda x: x.flat,
    "the cast to float32": lambda x: x.astype(np.float32),
    "the cast to int64": lambda x: x.astype(int),
    "the cast to float": lambda x: float(x[0]),
    "the cast to float ": lambda x: math.tanh(x[0]),
    "the cast to int": lambda x: int(x[0]),
    "the cast to int ": lambda x: range(3)[x[0]],
    "the cast to complex": lambda x: complex(x[0]),
    "the cast to formatted text": lambda x: f"{x[0]:.3f}",
    "the cast to float  ": lambda x: np.zeros(3).__setitem__(0, x[0]),
    "the cast to float   ": lambda x: np.array([x[0], x[1]]),
    "writing np.add into an array of float64": lambda x: np.add(x, x, out=np.zeros(3)),
    "writing np.add into an array of float64 ": lambda x: np.zeros(3).__iadd__(x),
    "writing residues into an array of float64": lambda x: np.copyto(np.zeros(3), x),
    "writing residues into an array of float64 ": lambda x: np.dot(x, x, out=np.zeros(())),
    "indexing with residues": lambda x: x[x],
    "with out": lambda x: np.concatenate([x, x], out=np.zeros(6)),
    "np.vectorize": lambda x: np.frompyfunc(lambda v: v, 1, 1)(x),
    "np.frompyfunc": lambda x: np.vectorize(lambda v: v)(x),
}


@pytest.mark.parametrize("what", [*UNDECIDED, *UNSUPPORTED])
def test_refusals_name_the_operation(what):
    kind, attempt = (Undecided, UNDECIDED[what]) if what in UNDECIDED else (UnsupportedOperation, UNSUPPORTED[what])
    x = BIG.random(3, np.random.default_rng(0))
    before = ints(BIG, x)
    with pytest.raises(kind) as caught:
        attempt(x)
    if "vectorize" not in what and "frompyfunc" not in what:
        assert what.strip() in str(caught.value), f"the refusal of {what} reads {caught.value}"
    assert "modular scalars" in str(caught.value), f"the refusal of {what} does not name the number system"
    assert (ints(BIG, x) == before).all(), f"the refused {what} changed its argument"


def test_writing_into_a_float_array_names_zeros_like():
    with pytest.raises(UnsupportedOperation, match="np.zeros_like"):
        np.add(np.zeros(2), BIG.lift(np.ones(2)), out=np.zeros(2))


def test_no_method_of_ndarray_is_left_to_numpy_by_accident():
    from gradcheck.reference.scalars.residues import array as residues

    inherited = {
        n for n in dir(np.ndarray)
        if not n.startswith("_") and callable(getattr(np.ndarray, n)) and n not in ResidueArray.__dict__
    }  # fmt: skip
    assert inherited <= residues._MOVING, f"these methods fall through to raw floats: {inherited - residues._MOVING}"


def test_what_numpy_does_not_let_us_see_yields_plain_floats():
    """Should NumPy ever offer a hook, this fails and the module's docstring must change."""
    x = BIG.lift(np.array([1.0, 2.0]))
    plain = np.zeros(2)
    plain[:] = x
    for made in (np.asarray(x), np.array(x), plain):
        assert type(made) is np.ndarray, "NumPy now keeps the residues here"


def test_elements_slices_and_iteration_keep_the_field():
    x = BIG.random((3, 4), np.random.default_rng(0))
    wanted = ints(BIG, x)
    parts = {
        "x[1, 2]": x[1, 2], "x[1][2]": x[1][2], "x[-1]": x[-1], "x[..., 0]": x[..., 0], "x[::2, 1:3]": x[::2, 1:3],
        "x[[0, 2]]": x[[0, 2]], "x[mask]": x[wanted.astype(int) % 2 == 0], "x[None]": x[None], "x.T": x.T, "x.mT": x.mT,
        "x.ravel()": x.ravel(), "x.flatten()": x.flatten(), "x.copy()": x.copy(), "x.reshape(4, 3)": x.reshape(4, 3),
        "x.squeeze()": x.squeeze(), "x.real": x.real, "x.conj()": x.conj(), "x.take(0)": x.take(0), "x.sum()": x.sum(),
        "x.mean()": x.mean(), "np.copy(x)": np.copy(x), "copy.copy(x)": copy.copy(x), "x.diagonal()": x.diagonal(),
        "copy.deepcopy(x)": copy.deepcopy(x), "pickled": pickle.loads(pickle.dumps(x)),
        "x.astype(float)": x.astype(float),
        "np.zeros_like(x)": np.zeros_like(x), "np.zeros_like(x, shape=2)": np.zeros_like(x, shape=2),
        "np.zeros(2, like=x)": np.zeros(2, like=x), "np.empty_like(x)": np.empty_like(x), "x.repeat(2)": x.repeat(2),
        "x.swapaxes(0, 1)": x.swapaxes(0, 1), "sum(x)": sum(x), "max of one": next(iter(x[0])), "x.view()": x.view(),
    }  # fmt: skip
    for what, part in parts.items():
        assert isinstance(part, ResidueArray) and part.field is not None, f"{what} lost the field: {type(part)}"
        assert repr(part.field) == repr(BIG), f"{what} has the field {part.field}"
        BIG.residues(part + 1)
    assert [int(BIG.residues(v)) for row in x for v in row] == wanted.ravel().tolist(), "iteration changed the residues"
    for name in ("split", "broadcast_arrays", "atleast_2d"):
        pieces = np.split(x, 3) if name == "split" else getattr(np, name)(x, x[0])
        assert all(isinstance(p, ResidueArray) for p in pieces), f"np.{name} lost the field"


def test_plain_results_stay_plain():
    x = BIG.lift(np.ones((2, 3)))
    assert np.isfinite(x).dtype == bool and np.isfinite(x).all(), "np.isfinite is not all True"
    assert not np.isnan(x).any() and not np.isinf(x).any(), "np.isnan or np.isinf is not all False"
    assert np.shape(x) == (2, 3) and np.ndim(x) == 2 and np.size(x) == 6, "np.shape, np.ndim or np.size is wrong"
    assert type(np.zeros_like(x, dtype=int)) is np.ndarray, "integers asked for by dtype came as residues"


def test_views_write_through_and_elements_do_not():
    x = BIG.lift(np.arange(6).reshape(2, 3))
    x[0][1] = 40
    x[1] += 0.5
    x.T[2, 0] -= 1
    x[:, 0] *= x[:, 1]
    half = BIG.convert(0.5)
    assert_residues(BIG, x, [[0, 40, 1], [(3 + half) * (4 + half), 4 + half, 5 + half]], "writes through views")
    total = x[0, 1]
    alias = total
    total += 1
    assert int(BIG.residues(alias)) == 40, "adding to an element in place changed its other name"
    assert int(BIG.residues(x[0, 1])) == 40, "adding to an element in place changed the array that it came from"
    total = x.sum()
    alias = total
    total *= 2
    assert BIG.equal(total, 2 * alias), "a sum was changed in place under its other name"


def test_in_place_and_out():
    rng = np.random.default_rng(3)
    x, y = BIG.random((4, 4), rng), BIG.random((4, 4), rng)
    a, b = ints(BIG, x), ints(BIG, y)
    z = x
    z += y
    z *= y
    z -= 1
    z **= 2
    assert z is x, "an in-place operation made a new array"
    assert_residues(BIG, x, ((a + b) * b - 1) ** 2, "in-place operations")
    x /= y
    assert_residues(BIG, x * y, ((a + b) * b - 1) ** 2, "in-place division")
    out = np.zeros_like(x)
    for what, write, wanted in (
        ("np.matmul", lambda out: np.matmul(y, y, out=out), b @ b),
        ("np.dot", lambda out: np.dot(y, y, out=out), b @ b),
        ("np.multiply", lambda out: np.multiply(y, 3, out=out), b * 3),
        ("np.add with rows", lambda out: np.add(y[0], 1, out=out), [b[0] + 1] * 4),
        ("np.einsum", lambda out: np.einsum("ij,jk->ik", y, y, out=out), b @ b),
        ("x.sum", lambda out: y.sum(axis=0, out=out[0]), b.sum(axis=0)),
        ("np.cumsum", lambda out: np.cumsum(y, axis=1, out=out), np.cumsum(b, axis=1)),
    ):
        got = write(out)
        assert_residues(BIG, got, wanted, f"{what} with out=")
        assert np.shares_memory(got, out), f"{what} did not write into out"
    with pytest.raises(ValueError, match="broadcast|dimension|match"):
        np.add(y, y, out=np.zeros_like(y, shape=(4,)))
    w = y.copy()
    w[...] = 2
    w[1:3, [0, 1]] = [[0.25, 3], [4, y[0, 0]]]
    np.fill_diagonal(w, 9)
    np.copyto(w, 5, where=np.eye(4, dtype=bool))
    quarter = BIG.convert(0.25)
    assert_residues(BIG, w[1:3], [[quarter, 5, 2, 2], [4, b[0, 0], 5, 2]], "assignments")


@pytest.mark.parametrize("ufunc", list(residue_direct.DIRECT), ids=lambda ufunc: ufunc.__name__)
@pytest.mark.parametrize("prime", [8388593, 2**31 - 1])
def test_the_short_way_comes_to_what_the_long_way_does(ufunc: np.ufunc, prime: int) -> None:
    field = ResidueField(prime)
    rng = np.random.default_rng(0)
    operands = [field.random((5, 5), rng) * field.random((5, 5), rng) for _ in range(ufunc.nin)]
    short, long = ufunc(*operands), call_ufunc(field, ufunc, "__call__", tuple(operands), {})
    assert field.equal(short, long).all() and short.fraction_degree == long.fraction_degree
    assert not np.shares_memory(short.view(np.ndarray), operands[0].view(np.ndarray))


OPERATORS = {np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul, np.matmul: operator.matmul}


@pytest.mark.parametrize("ufunc", OPERATORS, ids=lambda ufunc: ufunc.__name__)
@pytest.mark.parametrize("other", ["array", "plain array", "number"])
def test_an_operator_comes_to_what_its_function_does(ufunc: np.ufunc, other: str) -> None:
    field, rng = ResidueField(8388593), np.random.default_rng(0)
    x = field.random((4, 4), rng)
    y = {"array": field.random((4, 4), rng), "plain array": np.full((4, 4), 0.5), "number": 3}[other]
    for operands in [(x, y), (y, x)]:
        if ufunc is np.matmul and other == "number":
            continue
        found, expected = OPERATORS[ufunc](*operands), call_ufunc(field, ufunc, "__call__", operands, {})
        assert field.equal(found, expected).all() and found.fraction_degree == expected.fraction_degree


def test_a_short_way_that_goes_elsewhere_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(residue_direct.DIRECT, np.add, residue_direct.DIRECT[np.subtract])
    with pytest.raises(AssertionError):
        test_the_short_way_comes_to_what_the_long_way_does(np.add, 8388593)
    with pytest.raises(AssertionError):
        test_an_operator_comes_to_what_its_function_does(np.add, "array")


@pytest.mark.parametrize("number", [2, 0.5, Fraction(1, 3), np.int64(2), np.array(2.0)])
def test_a_matrix_product_with_a_number_is_refused_as_numpy_does(number: Any) -> None:
    x = ResidueField(7).lift([1, 2, 3])
    with pytest.raises(ValueError, match="matmul"):
        x @ number
    with pytest.raises(ValueError, match="matmul"):
        np.matmul(number, x)


def test_add_at_adds_every_time() -> None:
    """As a loop does, at places that come again."""
    field = ResidueField(seed=1)
    rng = np.random.default_rng(0)
    x, values, places = field.random((4, 3), rng), field.random((5, 3), rng), [2, 0, 2, 2, 3]
    added, looped = x.copy(), x.copy()
    np.add.at(added, places, values)
    for place, value in zip(places, values, strict=True):
        looped[place] = looped[place] + value
    assert field.equal(added, looped).all() and not field.equal(added, x).all()
    assert added.degree == looped.degree
