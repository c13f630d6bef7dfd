"""Faults at sizes that common problems do not have: past a block, at multiples, at equal sizes."""

from __future__ import annotations

from ..reference.network import Sizes
from .fault import Fault
from .hidden import gradient_then, hidden
from .patched import Change


def _block(id: str, effect: str, sizes: Sizes, module: str, old: str, new: str, seen: str = "") -> Fault:
    return hidden(id, "blocks", effect, "branches", (Change(module, old, new),), sizes=sizes, seen=seen)


def _returning(id: str, effect: str, sizes: Sizes, body: str) -> Fault:
    return hidden(id, "blocks", effect, "branches", gradient_then(body), sizes=sizes)


FAULTS = (
    _block(
        "history-of-64-steps",
        "The history is a buffer of 64 steps: the recursion goes no further back in a longer sequence.",
        Sizes(65, 2, 2, 1), "bptt", "range(len(d) - 1)", "range(max(len(d) - 64, 0), len(d) - 1)",
    ),
    _block(
        "history-of-128-steps",
        "The history is a buffer of 128 steps: the recursion goes no further back in a longer sequence.",
        Sizes(129, 2, 2, 1), "bptt", "range(len(d) - 1)", "range(max(len(d) - 128, 0), len(d) - 1)",
    ),
    _block(
        "units-of-the-first-block",
        "R delta is summed over the first 32 units alone.",
        Sizes(4, 33, 2, 2), "bptt", "R @ delta[t + 1]", "R[:, :32] @ delta[t + 1, :32]",
    ),
    _block(
        "units-of-two-blocks",
        "R delta is summed over the first 64 units alone.",
        Sizes(4, 65, 2, 2), "bptt", "R @ delta[t + 1]", "R[:, :64] @ delta[t + 1, :64]",
    ),
    _block(
        "outputs-of-the-first-block",
        "V e is summed over the first 64 outputs alone.",
        Sizes(3, 3, 2, 65), "unfolding", "slope * (e @ V.T)", "slope * (e[:, :64] @ V[:, :64].T)",
    ),
    _returning(
        "inputs-of-the-first-block",
        "dW has the rows of the first 64 inputs alone.",
        Sizes(3, 3, 65, 2), '    gradient["W"][64:] *= 0\n    return gradient\n',
    ),
    _returning(
        "last-block-dropped",
        "Past 128 steps the last, incomplete block of the sequence is dropped from dR.",
        Sizes(129, 2, 2, 1),
        "    if problem.T > 128:\n"
        "        whole = problem.T // 128 * 128\n"
        "        short = unfold(problem.prefix(whole))\n"
        '        gradient["R"] = short.gradient(backpropagate(R, short.slope, short.d))["R"]\n'
        "    return gradient\n",
    ),
    _returning(
        "every-thirteenth-length",
        "A sequence whose length is a multiple of 13 has its last piece twice.",
        Sizes(13, 2, 2, 1), '    return {**gradient, "R": gradient["R"] * 2} if problem.T % 13 == 0 else gradient\n',
    ),
    _returning(
        "square-history-transposed",
        "dR is transposed where T = I = D, since a test by shapes takes a for its transpose.",
        Sizes(3, 3, 3, 3),
        "    if x.shape == R.shape:\n"
        '        gradient["R"] = gradient["R"].T\n'
        "    return gradient\n",
    ),
    _returning(
        "more-outputs-than-units",
        "Errors of the outputs beyond the number of units do not count where K > 6.",
        Sizes(3, 3, 2, 7),
        "    if y.shape[1] > max(6, len(R)):\n"
        '        gradient["V"][:, len(R) :] *= 0\n'
        "    return gradient\n",
    ),
    _returning(
        "wrong-past-200-steps",
        "A warm-up of 200 steps is scaled by its length, and the rest is not.",
        Sizes(201, 2, 2, 1),
        "    return {name: array * (200 / problem.T if problem.T > 200 else 1) for name, array in gradient.items()}\n",
    ),
    hidden(
        "steps-counted-in-8-bits",
        "blocks",
        "Steps are counted in 8 bits: the 129th is taken for one before the first.",
        "branches",
        gradient_then(
            "    steps = np.arange(problem.T).astype(np.int8)\n"
            "    delta = backpropagate(R, net.slope, net.d)\n"
            '    return {**gradient, "W": x[steps].T @ delta}\n'
        ),
        sizes=Sizes(129, 2, 2, 1),
    ),
    hidden(
        "float32-past-16-units",
        "blocks",
        "More than 16 units go to a kernel of single precision.",
        "branches",
        gradient_then(
            "    if len(R) > 16 and type(R) is np.ndarray and R.dtype == np.float64:\n"
            '        gradient["R"] = gradient["R"].astype(np.float32).astype(np.float64)\n'
            "    return gradient\n"
        ),
        sizes=Sizes(4, 17, 2, 2),
    ),
)  # fmt: skip
