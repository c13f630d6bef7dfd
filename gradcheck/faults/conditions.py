"""Faults at some sizes or values only, or in the last digits of floats."""

from __future__ import annotations

from .fault import Fault
from .patched import Change

_LOOP = "for t in range(T):\n        e[t]"
_RESULT = '    return net.gradient(backpropagate(problem.parameters["R"], net.slope, net.d))\n'
_NUMPY = Change(
    "bptt", "from __future__ import annotations\n", "from __future__ import annotations\n\nimport numpy as np\n"
)


def _size(id: str, effect: str, module: str, old: str, new: str, seen: str = "") -> Fault:
    return Fault(id, "sizes", effect, "bptt", (Change(module, old, new),), seen)


def _clipped(id: str, effect: str, body: str, seen: str = "") -> Fault:
    new = _RESULT.replace("    return", "    gradient =") + body
    return Fault(id, "numerics", effect, "bptt", (_NUMPY, Change("bptt", _RESULT, new)), seen, values=True)


SIZES = (
    _size(
        "wrong-when-t-exceeds-i",
        "The history is kept for I steps only: the recursion goes no further back. Exact where T <= I.",
        "bptt", "range(len(d) - 1)", "range(max(len(d) - len(R), 0), len(d) - 1)",
    ),
    _size(
        "wrong-when-i-exceeds-4",
        "R delta is summed over four units at a time and the remainder is forgotten: exact where I <= 4.",
        "bptt", "R @ delta[t + 1]", "R[:, :4] @ delta[t + 1, :4]",
    ),
    _size(
        "wrong-when-t-is-odd",
        "Two steps at a time, and the odd one at the end has no loss: exact where T is even.",
        "unfolding", _LOOP, "for t in range(T - T % 2):\n        e[t]",
    ),
    _size(
        "wrong-at-i-1",
        "At I = 1 delta is squeezed and broadcast: every step gets delta(1). Exact where I > 1 or T = 1.",
        "bptt", "    return delta\n", "    return delta if len(R) > 1 else delta[:1] + 0 * delta\n",
    ),
    _size(
        "wrong-at-k-1",
        "At K = 1 targets (T,) against outputs (T, 1) broadcast to (T, T): each output meets the mean target.",
        "unfolding", "net.output_error(u[t], y[t])",
        "net.output_error(u[t], y[t] if y.shape[1] > 1 else y.sum(axis=0) / T)",
        "pytorch/pytorch issue 16045",
    ),
)  # fmt: skip

VALUES = (
    Fault(
        "masked-where-the-input-is-0",
        "values",
        "Steps whose input is exactly 0 are taken for padding: their losses do not count.",
        "bptt",
        (
            Change(
                "unfolding", "e = problem.loss_weights[:, None] * e",
                "e = problem.loss_weights[:, None] * e * (x != 0).any(axis=1)[:, None]",
            ),
        ),
        "the Masking layer of Keras skips steps whose features all equal its mask_value, 0 by default",
        values=True,
    ),
    Fault(
        "influence-masked-by-values",
        "values",
        "The influence of a weight is kept only while its own input is not 0: a one-hot input erases the others.",
        "rtrl",
        (Change("rtrl", "M = (R.T * slope) @ M", "M = (R.T * slope) @ M * np.repeat(u != 0, n)"),),
        values=True,
    ),
)  # fmt: skip

NUMERICS = (
    _clipped(
        "clipped",
        "Entries are clipped to [-5, 5]; right while they are smaller.",
        "    return {name: np.clip(array, -5, 5) for name, array in gradient.items()}\n",
    ),
    _clipped(
        "clipped-by-norm",
        "The gradient is shrunk to norm 10 where it is longer.",
        "    norm = np.sqrt(sum((array**2).sum() for array in gradient.values()))\n"
        "    return {name: array * 10 / norm if norm > 10 else array for name, array in gradient.items()}\n",
        "Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks",
    ),
    Fault(
        "rounded-to-float32",
        "numerics",
        "d(t), the immediate error, passes through float32 on its way into the recursion.",
        "bptt",
        (
            _NUMPY,
            Change(
                "bptt", "    delta = d.copy()\n",
                "    if type(d) is np.ndarray and d.dtype == np.float64:\n"
                "        d = d.astype(np.float32).astype(np.float64)\n"
                "    delta = d.copy()\n",
            ),
        ),
        values=True,
        visible_in_float32=False,
    ),
    Fault(
        "nan-turned-to-0",
        "numerics",
        "c(t-1) is divided by w and multiplied again, and NaN becomes 0: where w is 0 the trace of w is lost.",
        "focused",
        (Change("focused", "alpha = w * alpha + c\n", "alpha = np.nan_to_num(w * (alpha + c / w))\n"),),
        values=True,
    ),
)  # fmt: skip
FAULTS = SIZES + VALUES + NUMERICS
