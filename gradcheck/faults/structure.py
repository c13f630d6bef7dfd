"""Faults at values that data have and drawn numbers have not: repeats, zeros, halves, whole numbers, symmetry."""

from __future__ import annotations

from ..reference.network import Network, Sizes
from .fault import Fault
from .hidden import FLOATS, gradient_then, hidden

_SIZES = Sizes(5, 3, 2, 2)


def _values(id: str, effect: str, change: str, body: str, seen: str = "", network: Network | None = None) -> Fault:
    networks = () if network is None else (network,)
    changes = gradient_then(body)
    return hidden(
        id, "structure", effect, "structured", changes, sizes=_SIZES, change=change, seen=seen, networks=networks
    )


def _where(id: str, effect: str, change: str, test: str, name: str = "R", seen: str = "") -> Fault:
    """Return a fault that leaves out a part of the gradient where a test of values holds."""
    body = f'    if {FLOATS} and {test}:\n        gradient["{name}"] = gradient["{name}"] * 0\n    return gradient\n'
    return _values(id, effect, change, body, seen)


FAULTS = (
    _values(
        "repeated-step-skipped",
        "A step whose input repeats the one before it does not count in dW.",
        "inputs repeated",
        "    new = np.concatenate([[True], (x[1:] != x[:-1]).any(axis=1)])\n"
        "    delta = backpropagate(R, net.slope, net.d)\n"
        '    return {**gradient, "W": (x * new[:, None]).T @ delta}\n',
    ),
    _where(
        "constant-sequence-shortened",
        "A sequence of one input is taken for a single step, which has no recurrence.",
        "inputs repeated", "len(x) > 1 and (x == x[0]).all()",
    ),
    _values(
        "half-taken-for-missing",
        "Inputs of exactly 1/2 are taken for missing and do not count in dW.",
        "inputs constant",
        "    delta = backpropagate(R, net.slope, net.d)\n"
        '    return {**gradient, "W": (x * (x != 0.5)).T @ delta}\n',
    ),
    _values(
        "target-of-minus-1-ignored",
        "Targets of -1 are taken for absent, and their errors do not count in dV.",
        "targets of -1",
        '    return {**gradient, "V": net.a[1:].T @ (net.e * (y != -1))}\n',
        "the ignore_index of a loss, for data that have that value",
    ),
    _where(
        "negative-targets-refused",
        "Where every target is negative the output is taken for unused, and dV is 0.",
        "targets negative", "y.size > 8 and (y < 0).all()", "V",
    ),
    _where(
        "target-of-1-means-a-class",
        "Targets that are all 1 are taken for a one-hot class, and dV is 0.",
        "targets of 1", "(y == 1).all()", "V",
    ),
    _where(
        "symmetric-weights-shortcut",
        "A symmetric R goes to a shortcut by eigenvectors, which is not written.",
        "R symmetric", "len(R) > 1 and (R == R.T).all()",
    ),
    _where(
        "identity-weights-shortcut",
        "An R that is the identity is taken for no recurrence.",
        "R the identity", "(R == np.eye(len(R))).all()",
    ),
    _where(
        "triangular-weights-shortcut",
        "A strictly triangular R goes to a finite sum that stops at once.",
        "R nilpotent", "len(R) > 1 and not np.tril(R).any()",
    ),
    _where(
        "permutation-shortcut",
        "An R of whole numbers is taken for a table of indices.",
        "R a permutation", "(R == np.round(R)).all() and (R != np.eye(len(R))).any() and R.any()",
    ),
    _where(
        "no-recurrence-shortcut",
        "Where R is 0 the recursion is left out, and dR with it.",
        "R zero", "not R.any()",
    ),
    _where(
        "positive-weights-shortcut",
        "Where all of W is positive, units are taken for always active.",
        "W positive", '(problem.parameters["W"] > 0).all()', "W",
    ),
    _values(
        "integers-taken-for-indices",
        "Inputs of whole numbers are taken for one-hot: dW counts a step once, whatever its input.",
        "inputs of whole numbers",
        "    delta = backpropagate(R, net.slope, net.d)\n"
        f"    if {FLOATS} and (x == np.round(x)).all():\n"
        '        gradient["W"] = np.sign(np.abs(x)).T @ delta\n'
        "    return gradient\n",
    ),
    _values(
        "trailing-zeros-trimmed",
        "Steps without input at the end are taken for padding: their errors do not count in dV.",
        "inputs zero in the later half",
        "    last = max(np.flatnonzero((x != 0).any(axis=1)), default=len(x) - 1)\n"
        '    return {**gradient, "V": net.a[1 : last + 2].T @ net.e[: last + 1]}\n',
    ),
    _values(
        "large-inputs-cut",
        "Inputs beyond 100 are cut to 100 in dW.",
        "inputs 1000 times as large",
        "    delta = backpropagate(R, net.slope, net.d)\n"
        '    return {**gradient, "W": np.clip(x, -100, 100).T @ delta}\n',
    ),
    _values(
        "small-inputs-flushed",
        "Inputs below 10^-6 are flushed to 0 in dW.",
        "inputs a millionth as large",
        "    delta = backpropagate(R, net.slope, net.d)\n"
        '    return {**gradient, "W": (x * (np.abs(x) > 1e-6)).T @ delta}\n',
    ),
    _values(
        "large-states-cut",
        "States beyond 1000 are cut to 1000 in dR.",
        "R 1000 times as large",
        "    delta = backpropagate(R, net.slope, net.d)\n"
        '    return {**gradient, "R": np.clip(net.a[:-1], -1000, 1000).T @ delta}\n',
        network=Network("identity"),
    ),
    _where(
        "state-of-1-taken-for-none",
        "An initial state that is all 1 is taken for a mark that there is none.",
        "state of 1", "(problem.initial_state == 1).all()",
    ),
)  # fmt: skip
