"""Functions on residues keep their laws, and degree bounds hold."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.reference.errors import UnsupportedOperation
from gradcheck.reference.scalars.residues.array import ResidueField
from gradcheck.reference.scalars.residues.degrees import Degree, Divisor

BIG = ResidueField(2**31 - 1, seed=1)
seeds = st.integers(0, 2**32 - 1)

LAWS = {
    "logistic(-v) = 1 - logistic(v)": lambda v, f: (f("logistic", -v), 1 - f("logistic", v)),
    "tanh(v) = 2 logistic(2v) - 1": lambda v, f: (np.tanh(v), 2 * f("logistic", 2 * v) - 1),
    "tanh(-v) = -tanh(v)": lambda v, f: (np.tanh(-v), -np.tanh(v)),
    "exp(-v) = 1 / exp(v)": lambda v, f: (np.exp(-v), 1 / np.exp(v)),
    "1 / (1 + exp(-v)) = logistic(v)": lambda v, f: (1 / (1 + np.exp(-v)), f("logistic", v)),
    "(exp(2v) - 1) / (exp(2v) + 1) = tanh(v)": lambda v, f: ((np.exp(2 * v) - 1) / (np.exp(2 * v) + 1), np.tanh(v)),
    "softplus(v) = log(1 + exp(v))": lambda v, f: (f("softplus", v), np.log1p(np.exp(v))),
    "relu(v) = heaviside(v) v": lambda v, f: (np.maximum(v, 0), f("heaviside", v) * v),
    "heaviside(v)^2 = heaviside(v)": lambda v, f: (f("heaviside", v) ** 2, f("heaviside", v)),
    "min(v, 0) = -relu(-v)": lambda v, f: (np.minimum(0, v), -f("relu", -v)),
    "logistic(0) = 1/2": lambda v, f: (f("logistic", v * 0), 0.5 + v * 0),
    "sin^2 + cos^2 = 1": lambda v, f: (np.sin(v) ** 2 + np.cos(v) ** 2, v * 0 + 1),
    "sin is odd": lambda v, f: (np.sin(-v), -np.sin(v)),
    "cos is even": lambda v, f: (np.cos(-v), np.cos(v)),
    "arctan is odd": lambda v, f: (np.arctan(-v), -np.arctan(v)),
    "x^-1.5 = 1/sqrt(x)^3": lambda v, f: (v**-1.5, 1 / np.sqrt(v) ** 3),
    "logaddexp(0, x) = log(1 + exp(x))": lambda v, f: (np.logaddexp(0, v), np.log1p(np.exp(v))),
    "cosh^2 - sinh^2 = 1": lambda v, f: (np.cosh(v) ** 2 - np.sinh(v) ** 2, v * 0 + 1),
    "expm1 = exp - 1": lambda v, f: (np.expm1(v), np.exp(v) - 1),
    "a function of equal residues is equal": lambda v, f: (f("f", v + 1), f("f", 2 * v - v + 1)),
}


@pytest.mark.parametrize("law", LAWS)
@given(seed=seeds, prime=st.sampled_from([8388593, 2**31 - 1]))
@settings(max_examples=25)
def test_laws_of_the_functions(law, seed, prime):
    field = ResidueField(prime, seed)
    v = field.random((3, 4), np.random.default_rng(seed))
    left, right = LAWS[law](v, lambda name, x: x.apply_function(name))
    assert left.shape == (3, 4), f"{law}: the shape became {left.shape}"
    assert field.equal(left, right).all(), f"{law} fails modulo {prime} with seed {seed}"


def test_functions_are_random_functions_of_seed_and_name():
    v = BIG.random(4000, np.random.default_rng(0))
    values = {name: BIG.residues(v.apply_function(name)) for name in ("f", "f'", "log", "logistic", "exp", "tanh")}
    other_field = ResidueField(seed=2)
    values["another seed"] = other_field.residues(other_field.lift(BIG.residues(v)).apply_function("f"))
    for name, value in values.items():
        counts = np.bincount(value * 16 // BIG.prime, minlength=16)
        # 250 expected in each of 16 bins; 8 standard deviations of a binomial(4000, 1/16) are 122.
        assert abs(counts - 250).max() < 122, f"{name} is not uniform: {counts}"
        for other, values_of_other in values.items():
            agree = int((value == values_of_other).sum())
            assert name == other or agree < 10, f"{name} and {other} agree at {agree} of 4000 points"
    bits = BIG.residues(v.apply_function("heaviside"))
    assert set(bits.tolist()) == {0, 1}, f"heaviside has the values {set(bits.tolist())}"
    assert abs(int(bits.sum()) - 2000) < 253, f"heaviside is 1 at {bits.sum()} of 4000 points"  # 8 deviations


def test_functions_it_lacks_are_refused():
    with pytest.raises(UnsupportedOperation, match="erf is not defined on modular"):
        BIG.lift(np.ones(2)).apply_function("erf")


def test_undefined_vector_functions():
    rng = np.random.default_rng(0)
    u, y = BIG.random(3, rng), BIG.random(3, rng)
    assert u.apply_jointly("g").shape == (3,), "g has the wrong shape"
    assert u.apply_jointly("L", y).shape == (), "L has the wrong shape"
    e = u.apply_jointly("e", y)
    assert BIG.equal(e, (u + 0).apply_jointly("e", y * 1)).all(), "equal arguments gave different values of e"
    changed = u.copy()
    changed[2] += 1
    others = {
        "a changed entry": changed.apply_jointly("e", y), "swapped arguments": y.apply_jointly("e", u),
        "another function": u.apply_jointly("g"), "fewer arguments": u.apply_jointly("e"),
    }  # fmt: skip
    for what, other in others.items():
        assert not BIG.equal(e, other).any(), f"e agrees with e of {what}"
    assert len(set(BIG.residues(e).tolist())) == 3, "components of e coincide"
    plain = u.apply_jointly("L", np.ones(3))
    assert BIG.equal(plain, u.apply_jointly("L", BIG.lift(np.ones(3)))), "plain targets gave another L than lifted ones"
    assert BIG.equal(u.apply_jointly("softmax"), np.exp(u) / np.exp(u).sum()).all(), "softmax is not exp / sum exp"
    assert BIG.equal(u.apply_jointly("softmax").sum(), 1), "softmax does not sum to 1"


def test_degrees_of_polynomials():
    rng = np.random.default_rng(0)
    R, x, c = BIG.random((3, 3), rng), BIG.random(3, rng), BIG.lift(np.ones(3))
    degrees = {
        "variable": (x, 1), "constant": (c, 0), "x + c": (x + c, 1), "x * x": (x * x, 2), "R @ x": (R @ x, 2),
        "x ** 5": (x**5, 5), "3 * x - 1": (3 * x - 1, 1), "R @ R @ x": (R @ R @ x, 3), "x.sum()": (x.sum(), 1),
        "tanh": (np.tanh(R @ x), 1), "f": ((R @ x).apply_function("f"), 1), "x / 2": (x / 2, 1), "x ** 0": (x**0, 0),
        "concatenate": (np.concatenate([x, R @ x]), 2), "where": (np.where(True, c, R @ x), 2), "x[0]": (x[0], 1),
        "outer": (np.outer(x, R @ x), 3), "einsum": (np.einsum("ij,j,i->", R, x, x), 3), "zeros": (np.zeros_like(x), 0),
        "relu": ((R @ x).apply_function("relu"), 2), "heaviside": (x.apply_function("heaviside"), 0),
        "L": ((R @ x).apply_jointly("L", x), 1), "softplus": ((R @ x).apply_function("softplus"), 1),
        "pickled": (pickle.loads(pickle.dumps(x * x)), 2),
    }  # fmt: skip
    for what, (array, degree) in degrees.items():
        assert array.degree == degree, f"{what} has the degree bound {array.degree}; wanted {degree}"


def test_writing_raises_the_degree_of_every_view():
    x = BIG.random(3, np.random.default_rng(0))
    for what, write in {
        "setitem on a view": lambda z: z[0].__setitem__(1, x[0] ** 4),
        "in place on a view": lambda z: z.T.__iadd__(x[:, None] ** 4),
        "out=": lambda z: np.multiply(x**2, x**2, out=z[1]),
        "through reshape": lambda z: np.reshape(z, (9,)).__setitem__(slice(3), x**4),
        "through broadcast_arrays": lambda z: np.moveaxis(z, 0, 1).__setitem__(0, x**4),
        "fill": lambda z: z.fill(x[0] ** 4),
        "copyto": lambda z: np.copyto(z[0], x**4),
        "fill_diagonal": lambda z: np.fill_diagonal(z, x**4),
        "matmul out": lambda z: np.matmul(z + 1, np.diag(x**4), out=z),
    }.items():
        z = np.zeros_like(x, shape=(3, 3))
        alias = z[1:]
        write(z)
        assert z.degree == 4 and alias.degree == 4, f"{what}: the bounds are {z.degree} and {alias.degree}; wanted 4"
    z = np.zeros_like(x)
    before = z.copy()
    z += x
    assert before.degree == 0, "a copy shares its original's bound"


def test_degrees_of_quotients():
    rng = np.random.default_rng(0)
    x, y = BIG.random(1, rng), BIG.random(1, rng)
    q = x / y
    assert (q.fraction_degree.numerator, q.fraction_degree.denominator) == (1, 1), f"x / y: {q.fraction_degree}"
    assert (q + q).fraction_degree.denominator == 1, "a sum over one denominator multiplied it"
    assert (q * q).fraction_degree.denominator == 2, "a square did not square the denominator"
    r = 1 / y  # another division: nothing is known of its being the same divisor
    assert (q + r).fraction_degree.denominator == 2, "different divisors were taken for one"
    both = BIG.random(3, rng) / BIG.random(3, rng)
    # x_i / y_i over the common denominator y_1 y_2 y_3.
    assert (both.fraction_degree.numerator, both.fraction_degree.denominator) == (3, 3), f"{both.fraction_degree}"
    running = np.zeros_like(q)
    for _ in range(50):
        running += q
        running[0] = running[0] + q[0]
    assert running.degree == 2, f"accumulating one quotient 100 times gave the degree {running.degree}; wanted 2"
    exponential = np.exp(x)
    assert exponential.degree == 2, f"exp of one entry is a quotient of linear polynomials; got {exponential.degree}"


def test_equality_degree_joins_denominators():
    d, e = Divisor(2), Divisor(3)
    left, right = Degree(4, {d: 1}), Degree(5, {d: 1, e: 1})
    # N1/D and N2/(D E) agree where N1 E - N2 = 0.
    assert left.equality(right) == 7, f"wanted max(4 + 3, 5) = 7; got {left.equality(right)}"


def differences_vanish(field, values):
    """Whether n + 2 values at t = 0, 1, ... are those of polynomials in t of degree at most n."""
    n = len(values) - 2
    return bool(field.equal(sum((-1) ** k * math.comb(n + 1, k) * values[k] for k in range(n + 2)), 0).all())


STEPS = {
    "+": lambda x, y: x + y, "-": lambda x, y: y - x[::-1], "*": lambda x, y: x * y, "@": lambda x, y: x @ y,
    "^": lambda x, y: x**2, "e": lambda x, y: np.einsum("ij,ij,jk->ik", x, y, y),
    "c": lambda x, y: np.cumsum(x, axis=1),
    "w": lambda x, y: np.where([True, False], x * y, x), "k": lambda x, y: np.kron(x[0], y[1]).reshape(2, 2),
}  # fmt: skip


@given(seed=seeds, steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=5))
@settings(max_examples=60)
def test_degree_bounds_hold_along_lines(seed, steps):
    rng = np.random.default_rng(seed)
    point, line = BIG.random((2, 2, 2), rng), BIG.random((2, 2, 2), rng)

    def formula(t):
        x, y = point + t * line
        for step in steps:
            x = STEPS[step](x, y)
            x[0] += y[1] * x[1]
        return x

    claimed = formula(1).degree
    assert differences_vanish(BIG, [formula(t) for t in range(claimed + 2)]), f"{steps}: a degree above {claimed}"


QUOTIENTS = {
    "x / y": (lambda x, y: x / y, 1), "x / y + x": (lambda x, y: x / y + x, 1), "1 / y": (lambda x, y: 1 / y, 1),
    "(x / y) @ (x / y)": (lambda x, y: (lambda q: q @ q)(x / y), 2), "(x / y).sum(0)": (lambda x, y: (x / y).sum(0), 1),
    "x * (y ** -1)": (lambda x, y: x * y**-1, 1), "(x / y) ** 3": (lambda x, y: (x / y) ** 3, 3),
}  # fmt: skip


@pytest.mark.parametrize("what", QUOTIENTS)
def test_degree_bounds_of_quotients_hold_along_lines(what):
    formula, power = QUOTIENTS[what]
    point, line = BIG.random((2, 2, 2, 2), np.random.default_rng(0))
    claimed = formula(*(point + line)).fraction_degree.numerator
    values = []
    for t in range(claimed + 2):
        x, y = point + t * line
        denominator = y[0, 0] * y[0, 1] * y[1, 0] * y[1, 1]
        values.append(formula(x, y) * denominator**power)
    assert differences_vanish(BIG, values), f"{what}: numerators of a degree above {claimed}"


def test_an_understated_degree_is_caught():
    point, line = BIG.random((2, 3), np.random.default_rng(0))
    values = [(point + t * line) ** 2 for t in range(3)]
    assert not differences_vanish(BIG, values), "a square passes for a polynomial of degree 1"


def test_queries_are_recorded_while_recording_is_on():
    field = ResidueField(seed=5)
    x = field.random(4, np.random.default_rng(0))
    np.tanh(x)
    assert field.queries == {} and field.query_degree == 0, "evaluations were recorded with recording off"
    field.recording = True
    np.tanh(x), np.tanh(-x), (x * x).apply_function("f"), x.apply_function("relu"), x.apply_jointly("e", x)
    counts = {name: points.size for name, points in field.queries.items()}
    assert counts == {"sigma": 4, "f": 4, "bit": 4, "e": 1}, f"recorded {counts}"
    doubled = field.residues(2 * x)
    wanted = np.unique(np.minimum(doubled, field.prime - doubled))
    assert field.queries["sigma"].tolist() == wanted.tolist(), "tanh(v) was not recorded as sigma at 2v up to sign"
    assert [name for name, _ in field.calls] == ["sigma", "sigma", "f", "bit", "e"], f"{field.calls}"
    assert field.query_degree == 2, f"the largest argument has degree 2; got {field.query_degree}"
    field.reset()
    assert field.queries == {} and field.query_degree == 0, "reset kept something"
