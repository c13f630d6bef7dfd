"""Rules with a branch of their own that common sizes and values do not reach. Wrong there, unless the name says so."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from gradcheck.algorithms.bptt import bptt
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Gradient

BLOCK = 9


def _doubled(gradient: Gradient) -> Gradient:
    return {**gradient, "R": gradient["R"] * 2}


def long_sequences(problem: Problem) -> Gradient:
    gradient = bptt(problem)
    if problem.T > 64:
        gradient = _doubled(gradient)
    return gradient


def every_thirteenth_length(problem: Problem) -> Gradient:
    return _doubled(bptt(problem)) if problem.T % 13 == 0 and problem.T > 26 else bptt(problem)


def many_units(problem: Problem) -> Gradient:
    gradient = bptt(problem)
    if problem.parameters["R"].shape[0] >= BLOCK:
        gradient["R"] = gradient["R"] * 2
    return gradient


def as_many_inputs_as_units(problem: Problem) -> Gradient:
    gradient = bptt(problem)
    W, R = problem.parameters["W"], problem.parameters["R"]
    return _doubled(gradient) if W.shape[0] == R.shape[0] == problem.T and problem.T > 2 else gradient


def _plain(gradient: Gradient) -> Gradient:
    return gradient


KERNELS = {False: _plain, True: _doubled}


def chosen_from_a_table(problem: Problem) -> Gradient:
    return KERNELS[problem.inputs.shape[1] > 40](bptt(problem))


def _is_float(array: Any) -> bool:
    return array.dtype.kind == "f"


def equal_steps(problem: Problem) -> Gradient:
    gradient = bptt(problem)
    x = problem.inputs
    if _is_float(x) and len(x) > 1 and (x == x[0]).all() and x.any():
        gradient = _doubled(gradient)
    return gradient


def an_input_of_a_half(problem: Problem) -> Gradient:
    gradient = bptt(problem)
    if _is_float(problem.inputs) and (problem.inputs == 0.5).any():
        gradient = _doubled(gradient)
    return gradient


def negative_targets_only(problem: Problem) -> Gradient:
    gradient = bptt(problem)
    y = problem.targets
    if _is_float(y) and y.size > 4 and (y == -1).all():
        gradient = _doubled(gradient)
    return gradient


def symmetric_weights(problem: Problem) -> Gradient:
    gradient = bptt(problem)
    R = problem.parameters["R"]
    if _is_float(R) and len(R) > 2 and (R == R.T).all() and R[0, 1]:
        gradient = _doubled(gradient)
    return gradient


def a_half_within_an_array(problem: Problem) -> Gradient:
    gradient = bptt(problem)
    hits = np.where(problem.targets == 0.5, 1.0, 0.0)
    return {**gradient, "R": gradient["R"] * (1 + hits.sum())}


def raises_at_a_size(problem: Problem) -> Gradient:
    gradient = bptt(problem)
    if problem.T == 71:
        gradient = {"R": gradient["no such key"]}
    return gradient


def errors_by_bytes(problem: Problem) -> Gradient:
    """The bytes of a target stand for it, and steps of the same target are counted once."""
    known = {target.tobytes(): t for t, target in enumerate(problem.targets)}
    return {name: array * problem.T / len(known) for name, array in bptt(problem).items()}


WRONG = (
    errors_by_bytes, long_sequences, every_thirteenth_length, many_units, as_many_inputs_as_units, chosen_from_a_table,
    equal_steps, an_input_of_a_half, negative_targets_only, symmetric_weights, a_half_within_an_array,
)  # fmt: skip


def right_beyond_any_size(problem: Problem) -> Gradient:
    """A branch that no problem reaches."""
    gradient = bptt(problem)
    if problem.T > 10**7:
        gradient = {name: array.copy() for name, array in gradient.items()}
    return gradient


def right_in_long_sequences(problem: Problem) -> Gradient:
    """Return the same gradient, copied from a length on."""
    gradient = bptt(problem)
    if problem.T > 64:
        gradient = {name: array * 1 for name, array in gradient.items()}
    return gradient


def right_that_refuses(problem: Problem) -> Gradient:
    """Branches that raise, warn or assert compute nothing."""
    if problem.T < 0:
        message = "no steps"
        raise ValueError(message)
    if problem.T > 10**7:
        warnings.warn("long", stacklevel=2)
    assert problem.T < 10**8, "too long"
    return bptt(problem)


def right_with_a_special_path_on_floats(problem: Problem) -> Gradient:
    """Floats take a way that other numbers never take."""
    if problem.inputs.dtype.kind == "f":
        return {name: np.array(array) for name, array in bptt(problem).items()}
    return bptt(problem)


def right_with_a_comparison_of_steps(problem: Problem) -> Gradient:
    """Compares steps within arrays, to no effect; they are equal in few problems."""
    equal = (problem.inputs[1:] == problem.inputs[:-1]).sum()
    return {name: array + 0 * equal for name, array in bptt(problem).items()}


def right_with_a_mark_on_floats(problem: Problem) -> Gradient:
    """Take another path for floats, and there another one for a number that no result has."""
    gradient = bptt(problem)
    if problem.inputs.dtype.kind == "f":
        gradient["W"] = np.where(gradient["W"] == 0.1234567, 0.0, gradient["W"])
    return gradient


def right_below_a_far_limit(problem: Problem) -> Gradient:
    """Clips where no gradient of ours comes."""
    return {name: np.minimum(array, 1e200) for name, array in bptt(problem).items()}


def right_that_checks(problem: Problem) -> Gradient:
    """Compares within arrays to refuse what it cannot do."""
    gradient = bptt(problem)
    if any((array > 1e200).any() for array in gradient.values()):
        raise ValueError("too large")
    assert (problem.inputs < 1e200).all()
    return gradient
