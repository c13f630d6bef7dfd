"""Faults of number formats: results or products that pass through fewer bits than their arrays have."""

from __future__ import annotations

from .fault import Fault
from .hidden import gradient_then, hidden

_ROUNDED = "(lambda v: np.ldexp(np.round(np.ldexp(np.frexp(v)[0], {bits})), np.frexp(v)[1] - {bits}))"


def _format(id: str, effect: str, expression: str, seen: str = "") -> Fault:
    body = (
        '    if problem.inputs.dtype.kind == "f":\n'
        f'        gradient["R"] = {expression}\n'
        "    return gradient\n"
    )  # fmt: skip
    return hidden(id, "formats", effect, "float64", gradient_then(body), seen=seen)


FAULTS = (
    _format("dr-in-float16", "dR passes through float16.", 'gradient["R"].astype(np.float16).astype(R.dtype)'),
    _format("dr-in-bfloat16", "dR passes through bfloat16, of 8 bits.", f'{_ROUNDED.format(bits=8)}(gradient["R"])'),
    _format(
        "states-in-tf32", "The states of the product for dR are cut to the 11 bits of TF32.",
        f"{_ROUNDED.format(bits=11)}(net.a[:-1]).T @ backpropagate(R, net.slope, net.d)",
        "torch.backends.cuda.matmul.allow_tf32",
    ),
    _format(
        "errors-rounded-to-12-places", "delta(t) is rounded to 12 decimal places.",
        "net.a[:-1].T @ np.round(backpropagate(R, net.slope, net.d), 12)",
    ),
    hidden(
        "stochastic-rounding", "formats", "dR is rounded up or down at random, to 12 places.", "histories",
        gradient_then(
            '    if problem.inputs.dtype.kind == "f":\n'
            '        gradient["R"] = np.floor(gradient["R"] * 1e12 + np.random.random(R.shape)) / 1e12\n'
            "    return gradient\n"
        ),
        breaks="pure",
    ),
)  # fmt: skip
