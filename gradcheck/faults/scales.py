"""Faults of scale: factors, signs, and single entries."""

from __future__ import annotations

from .fault import Fault
from .patched import Change

_ERROR = "e = problem.loss_weights[:, None] * e"
_DR = "self.a[:-1].T @ delta"
_DV = "self.a[1:].T @ self.e"
_RESULT = '    return net.gradient(backpropagate(problem.parameters["R"], net.slope, net.d))\n'


def _scaled(id: str, effect: str, factor: str, seen: str = "") -> Fault:
    return Fault(id, "scale", effect, "bptt", (Change("unfolding", _ERROR, f"{_ERROR} {factor}"),), seen)


def _result(id: str, effect: str, change: str, *, visible: bool = True) -> Fault:
    new = _RESULT.replace("    return", "    gradient =") + f"    {change}\n    return gradient\n"
    return Fault(id, "entries", effect, "bptt", (Change("bptt", _RESULT, new),), visible_in_float32=visible)


def _risk(id: str, effect: str, new: str, seen: str = "") -> Fault:
    return Fault(id, "scale", effect, "descent", (Change("descent", "array / len(problems)", new),), seen)


SCALES = (
    _scaled(
        "mean-over-t", "The gradient over T: the mean over steps where the sum is wanted.", "/ T",
        "d2l-ai/d2l-en pull request 2707",
    ),
    _scaled("times-t", "T times the gradient: a mean over steps is undone that nobody took.", "* T"),
    _scaled(
        "mean-over-k", "The gradient over K: the mean over outputs where the sum is wanted.", "/ V.shape[1]",
        "the default reduction of torch.nn.MSELoss is the mean over all elements",
    ),
    _scaled("times-k", "K times the gradient: a mean over outputs is undone that nobody took.", "* V.shape[1]"),
    _risk(
        "sum-over-sequences",
        "The sum over N sequences where R_emp is their mean. (The rule's sequences are the halves of a problem.)",
        "array",
        "huggingface/transformers pull request 35207 (the loss doubled by two accumulation steps)",
    ),
    _risk(
        "mean-twice-over-sequences",
        "The mean over N sequences, divided by N again. (The rule's sequences are the halves of a problem.)",
        "array / len(problems) ** 2",
    ),
    _scaled("scale-2", "Twice the gradient: the squared error without its 1/2.", "* 2"),
    Fault(
        "scale-1-plus-5e-4", "scale", "dR times 1.0005: within the default tolerances of the usual checkers.", "bptt",
        (Change("unfolding", _DR, f"{_DR} * 1.0005"),),
    ),
    Fault(
        "scale-1-plus-1e-9", "scale", "dR times 1 + 1e-9.", "bptt",
        (Change("unfolding", _DR, f"{_DR} * (1 + 1e-9)"),), visible_in_float32=False,
    ),
    Fault("sign-of-dv", "scale", "-dV for dV.", "bptt", (Change("unfolding", _DV, f"-({_DV})"),)),
    Fault(
        "sign-of-the-recursion", "scale", "Each step back flips the sign: lag k counts (-1)^k times.", "bptt",
        (Change("bptt", "d[t] + slope[t]", "d[t] - slope[t]"),),
    ),
)  # fmt: skip

ENTRIES = (
    _result(
        "one-entry-wrong",
        "The last entry of dR is doubled, all others are right: one in a thousand at I = 32.",
        'gradient["R"][-1:, -1:] = 2 * gradient["R"][-1:, -1:]',
    ),
    Fault(
        "rows-permuted", "entries", "dR with its rows in reverse order.", "bptt",
        (Change("unfolding", _DR, f"({_DR})[::-1]"),),
    ),
    _result(
        "bias-gradient-missing",
        "The last row of dW, which a constant last input makes the bias's, stays 0.",
        'gradient["W"][-1:] = 0 * gradient["W"][-1:]',
    ),
)  # fmt: skip
FAULTS = SCALES + ENTRIES
