"""Faults of stochastic rules: a wrong law of the noise, scalings that do not cancel, traces, cuts, directions.

Each draw of a right rule is off by far, so that only the expectation shows them.
"""

from __future__ import annotations

from .fault import Fault
from .patched import Change

EXPECTATION = "expectation"
"""The column of the matrix that finds them."""
_DRAWN = "nu = drawn(noise, self.distribution, now.size)"
_TRACES = "s, theta = r0 * carried + r1 * nu, state.theta / r0 + immediate / r1"
_COUNTED = "counted(now, (carried, state.theta), (s, theta), self.exact_now)"
_FACTORS = "return [(1 - noise.bernoulli(c)) / (1 - c) for c in probabilities]"
_DIRECTION = "drawn(noise, self.distribution, parameters[name].shape) for name"
_ALONG = "{name: along * array for name, array in v.items()}"


def _fault(id: str, effect: str, base: str, *changes: tuple[str, str], module: str = "", seen: str = "") -> Fault:
    made = tuple(Change(module or base, old, new) for old, new in changes)
    return Fault(id, "estimators", effect, base, made, seen, found_by=EXPECTATION)


NOISE = (
    _fault(
        "noise-of-a-third", "The noise is uniform on [-1, 1], of variance 1/3: a third of dW and dR.", "uoro",
        (_DRAWN, "nu = 2 * noise.uniform(now.size) - 1"),
    ),
    _fault(
        "noise-of-mean-one-half", "A sign is +1 three times out of four: terms across units and steps do not cancel.",
        "uoro", (_DRAWN, "nu = 2 * noise.bernoulli(0.75, now.size) - 1"),
    ),
    _fault(
        "one-sign-for-all-units", "All units share one sign: each counts the others' immediate influence.", "uoro",
        (_DRAWN, "nu = 0 * state.s + noise.signs()"),
    ),
    _fault(
        "one-draw-for-all-steps", "The noise is drawn once for a sequence: what each step does counts at the others.",
        "uoro",
        ("    theta: Array\n", "    theta: Array\n    nu: Any = None\n"),
        ("return Traces(before, s, theta)\n\n", "return Traces(before, s, theta, noise.signs(len(s)))\n\n"),
        (_DRAWN, "nu = state.nu"),
        ("return Traces(before, s, theta), now", "return Traces(before, s, theta, nu), now"),
    ),
    _fault(
        "noise-drawn-for-each-factor", "The two factors get noise of their own: dW and dR are 0 on average.", "uoro",
        ("now.back(nu)", "now.back(drawn(noise, self.distribution, now.size))"),
    ),
    _fault(
        "signs-of-the-next-unit", "One factor takes each unit's sign, the other that of the unit before.",
        "nobacktrack", ("now.back(c[1:] / r)", "now.back(c[:-1] / r)"),
    ),
    _fault(
        "signs-exchanged", "The matrix has the two signs exchanged: the cross terms stay, and the others cancel.",
        "kf_rtrl", ("A = c1 * carried / p0 + c2 * G / p1", "A = c2 * carried / p0 + c1 * G / p1"),
    ),
)  # fmt: skip

SCALINGS = (
    _fault(
        "scaling-of-one-factor-only", "The noise is doubled in one factor and not halved in the other.", "uoro",
        (_TRACES, "s, theta = r0 * carried + 2 * nu, state.theta / r0 + immediate / r1"),
    ),
    _fault(
        "carried-scaling-left-out", "What is carried is halved in one factor, not doubled in the other: lag k by 2^-k.",
        "uoro", (_TRACES, "s, theta = r0 * carried + r1 * nu, state.theta / 2 + immediate / r1"),
    ),
    _fault(
        "scaling-by-the-sign", "The scaling is 1 or 2 by the sign of the first unit's noise: it is not even.", "uoro",
        ("scaled(immediate, nu)", "(3 + nu[0]) / 2"),
    ),
    _fault(
        "scaling-by-the-sign-of-kf", "The first factor's scaling is 1 or 2 by the sign of what is new.", "kf_rtrl",
        ("scaled(G, now.u)", "(3 + c2) / 2"),
        ("u = c1 * p0 * state.u", "u = c1 * p0 * p1 * state.u"),
    ),
    _fault(
        "step-scaled-in-one-factor", "The vector's noise is doubled at every step, the matrix's is not halved.",
        "reverse_kf_rtrl", ("p1 * nu", "2 * nu"),
    ),
    _fault(
        "mixture-weight-missing", "Products that were mixed lack the weight (r + 1)/r: they count less.",
        "kronecker_sum", ("(A[:-1] - mean) * n / k", "A[:-1] - mean"),
    ),
    _fault(
        "mixture-mean-missing", "r products made of r + 1 keep the mean of all in each: the last one is lost.",
        "kronecker_sum", ("(A[:-1] - mean) * n / k", "A[:-1]"),
    ),
    _fault(
        "signs-of-one-mixed-factor", "The products are mixed by signs in one factor alone.", "kronecker_sum",
        ("A * c[:, None, None]", "A"),
    ),
)  # fmt: skip

TRACES = (
    _fault(
        "traces-start-at-1", "Both vectors start at 1: the initial state seems to depend on every weight.", "uoro",
        ("trace: float = 0,", "trace: float = 1,"),
    ),
    _fault(
        "factors-start-at-1", "Both factors start at 1: the initial state seems to depend on every weight.", "kf_rtrl",
        ("trace: float = 0,", "trace: float = 1,"),
        seen="omarschall/vanilla-rtrl starts from random factors, and does not average over them",
    ),
    _fault(
        "trace-decays-by-1-percent", "What is carried loses 1 % at each step.", "uoro",
        (_TRACES, "s, theta = r0 * carried * 0.99 + r1 * nu, state.theta / r0 + immediate / r1"),
    ),
    _fault(
        "trace-one-step-late", "The error at t meets the vectors of t-1.", "uoro",
        (_COUNTED, "counted(now, (carried, state.theta), (state.s, state.theta), self.exact_now)"),
    ),
    _fault(
        "present-counted-twice", "The immediate influence counts exactly, and in the estimate too.", "uoro",
        (_COUNTED, f"{_COUNTED} + now.back(now.d)"),
    ),
    _fault(
        "sign-left-out-of-one-factor", "The sign of what is carried is left out of one factor: lag 0 only.",
        "nobacktrack", ("v = c[0] * r0 * carried", "v = r0 * carried"),
    ),
    _fault(
        "carried-without-its-sign", "The matrix is carried without the sign that the vector has: lag 0 only.",
        "kf_rtrl", ("A = c1 * carried", "A = carried"),
    ),
    _fault(
        "jacobian-of-kf-transposed", "The matrix is carried by J^T.", "kf_rtrl",
        ("now.J @ state.A", "now.J.T @ state.A"),
    ),
    _fault(
        "immediate-without-its-slope", "The immediate influence lacks f'(s), which the state's Jacobian has.",
        "reverse_kf_rtrl", ("np.outer(now.gained(nu), now.u)", "np.outer(nu, now.u)"),
    ),
)  # fmt: skip

CUTS = (
    _fault(
        "cut-not-made-up-for", "What crosses a step without a cut is not divided by 1 - c: lag k counts (1 - c)^k.",
        "artbp", (_FACTORS, "return [1 - noise.bernoulli(c) for c in probabilities]"), module="cuts",
    ),
    _fault(
        "one-cut-for-all-steps", "One draw cuts all steps or none: lags from 2 on are divided too often.", "artbp",
        (_FACTORS, "uncut = 1 - noise.bernoulli(probabilities[0] if probabilities else 0)\n"
                   "    return [uncut / (1 - c) for c in probabilities]"), module="cuts",
    ),
    Fault(
        "cut-by-the-error", "estimators", "The graph is cut where the first unit's error is positive.", "artbp",
        (Change("artbp", "* factors[t]", "* factors[t] * int(run.d[t + 1, 0] <= 0)"),),
        values=True, found_by=EXPECTATION,
    ),
)  # fmt: skip

DIRECTIONS = (
    _fault(
        "direction-of-a-third", "The direction is uniform on [-1, 1], of variance 1/3: a third of the gradient.",
        "forward_gradient", (_DIRECTION, "2 * noise.uniform(parameters[name].shape) - 1 for name"),
    ),
    _fault(
        "direction-left-out", "The derivative along the direction is not multiplied by it: 0 on average.",
        "forward_gradient", (_ALONG, "{name: along + 0 * array for name, array in v.items()}"),
    ),
    _fault(
        "direction-masked", "Half of the direction's entries are 0 and the others not scaled up: half of the gradient.",
        "forward_gradient",
        (_DIRECTION, "noise.signs(parameters[name].shape) * noise.bernoulli(0.5, parameters[name].shape) for name"),
    ),
    _fault(
        "direction-over-its-length", "The result is divided by the number of parameters, as for a unit vector.",
        "forward_gradient",
        (_ALONG, "{name: along * v[name] / sum(each.size for each in v.values()) for name in v}"),
    ),
    _fault(
        "one-sign-for-a-parameter", "All entries of a parameter share one sign: each gets the sum over all.",
        "forward_gradient", (_DIRECTION, "0 * parameters[name] + noise.signs() for name"),
    ),
    _fault(
        "direction-drawn-each-step", "The direction changes at each step and the tangent stays: lag 0 only.",
        "forward_gradient",
        ("v = state.v\n", "v = {name: noise.signs(array.shape) for name, array in state.v.items()}\n"),
    ),
    _fault(
        "readout-not-along", "The readout's own share is left out of the derivative: dV is 0.", "forward_gradient",
        ("return self.d @ ds + np.sum(self.readout() * direction[\"V\"])", "return self.d @ ds"), module="carried",
    ),
)  # fmt: skip

FAULTS = NOISE + SCALINGS + TRACES + CUTS + DIRECTIONS
