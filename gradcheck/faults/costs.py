"""Faults of cost: the gradient is right, and takes more operations or more memory than the rule claims."""

from __future__ import annotations

from ..reference.claims import Claim, Cost, Online
from .fault import Fault
from .patched import Change

_TIME, _STORAGE = Cost(time="T*I*(I + K + D)"), Cost(storage="T*(I + K) + I*(I + D + K)")
_RECURSION = "        delta[t] = d[t] + slope[t] * (R @ delta[t + 1])\n"
_RESULT = '    return net.gradient(backpropagate(problem.parameters["R"], net.slope, net.d))\n'
_NUMPY = Change(
    "bptt", "from __future__ import annotations\n", "from __future__ import annotations\n\nimport numpy as np\n"
)


def _cost(id: str, effect: str, base: str, claim: Claim, changes: tuple[Change, ...], seen: str = "") -> Fault:
    breaks = "online" if isinstance(claim, Online) else "cost"
    return Fault(
        id, "costs", effect, base, changes, seen, breaks=breaks, claims=(claim,), values=True, found_by="counting"
    )


FAULTS = (
    _cost(
        "history-kept-online",
        "Every input of a unit is kept until the end, though no step reads it: storage grows with T.",
        "rtrl",
        Online(),
        (
            Change("rtrl", "    M: Array\n\n\n", "    M: Array\n    past: Any = ()\n\n\n"),
            Change("rtrl", "net, parameters, a, slope, M = state\n", "net, parameters, a, slope, M, past = state\n"),
            Change("rtrl", "(net, parameters, a, slope, M), {", "(net, parameters, a, slope, M, (*past, u)), {"),
        ),
        "losses that are summed as tensors, which keep the graph of every step",
    ),
    _cost(
        "unrolled-for-every-loss",
        "The error of each loss is sent back on its own, over all the steps before it: time grows with T^2.",
        "bptt",
        _TIME,
        (
            _NUMPY,
            Change(
                "bptt", _RESULT,
                '    R, delta = problem.parameters["R"], np.zeros_like(net.d)\n'
                "    for t in range(len(net.d)):\n"
                "        one = np.zeros_like(net.d[: t + 1])\n"
                "        one[t] = net.d[t]\n"
                "        delta[: t + 1] += backpropagate(R, net.slope[: t + 1], one)\n"
                "    return net.gradient(delta)\n",
            ),
        ),
        "a call of backward at every step with the graph retained",
    ),
    _cost(
        "jacobian-as-a-product",
        "Each step's Jacobian is made by a product of matrices: time grows with I^3.",
        "bptt",
        _TIME,
        (
            _NUMPY,
            Change(
                "bptt", _RECURSION,
                "        jacobian = (np.eye(len(R)) * slope[t]) @ R\n"
                "        delta[t] = d[t] + jacobian @ delta[t + 1]\n",
            ),
        ),
    ),
    _cost(
        "errors-kept-at-every-step",
        "The difference of all errors to the immediate ones is kept at every step: storage grows with T^2.",
        "bptt",
        _STORAGE,
        (
            Change("bptt", "    delta = d.copy()\n", "    delta, kept = d.copy(), []\n"),
            Change("bptt", _RECURSION, _RECURSION + "        kept.append(delta - d)\n"),
        ),
        "a list of snapshots for a plot",
    ),
)  # fmt: skip
