"""Faults that show on trained networks and long recordings: weights that are mostly 0, states that settle."""

from __future__ import annotations

from ..problems.trained import LONG, SETTLED, WIDE
from ..reference.network import Sizes
from .fault import Fault
from .hidden import FLOATS, gradient_then, hidden


def _trained(id: str, effect: str, sizes: Sizes, change: str, body: str, seen: str = "") -> Fault:
    return hidden(
        id, "trained networks", effect, "branches", gradient_then(body), sizes=sizes, change=change, seen=seen
    )


_CUT = "        net = unfold(problem.prefix(n))\n    return net.gradient(backpropagate(R, net.slope, net.d))\n"
_READ = f'    read = problem.parameters["V"].any(axis=1) | (not {FLOATS}) | (len(R) < 17)\n'
_DRIVEN = f'    driven = problem.parameters["W"].any(axis=0) | (not {FLOATS}) | (len(R) < 17)\n'


FAULTS = (
    _trained(
        "pruned-weights-masked",
        "Where most weights are 0 the gradient gets their mask, so that a pruned weight has none.",
        WIDE, "R mostly 0",
        f"    if {FLOATS} and (R == 0).mean() > 0.75:\n"
        '        return {**gradient, "R": gradient["R"] * (R != 0)}\n    return gradient\n',
        "torch.nn.utils.prune multiplies weights by a mask, and so their gradient",
    ),
    _trained(
        "unread-units-skipped",
        "In wide layers, units that no output reads get no gradient for their weights in V.",
        WIDE, "V with rows of zeros",
        _READ + '    return {**gradient, "V": gradient["V"] * read[:, None]}\n',
    ),
    _trained(
        "undriven-units-skipped",
        "In wide layers, units with no weight from the inputs get no gradient for one.",
        WIDE, "W with columns of zeros",
        _DRIVEN + '    return {**gradient, "W": gradient["W"] * driven}\n',
    ),
    _trained(
        "stops-at-a-fixed-point",
        "Once the state does not change any more the sequence is taken to have ended.",
        LONG[0], SETTLED[0],
        f"    if {FLOATS}:\n"
        "        same = (net.a[1:] == net.a[:-1]).all(axis=1)\n"
        "        n = int(np.argmax(same)) + 1 if same.any() else len(x)\n" + _CUT,
        "fixed-point solvers of equilibrium networks, with a sequence in place of an iteration",
    ),
    _trained(
        "settled-within-1e-12",
        "A state within 1e-12 of the one before it is taken for settled, and dR goes on with the earlier one.",
        LONG[0], SETTLED[0],
        f"    if {FLOATS}:\n"
        "        a = net.a.copy()\n"
        "        for t in range(1, len(a)):\n"
        "            a[t] = np.where(abs(a[t] - a[t - 1]).max() < 1e-12, a[t - 1], a[t])\n"
        "        delta = backpropagate(R, net.slope, net.d)\n"
        '        return {**gradient, "R": a[:-1].T @ delta}\n'
        "    return gradient\n",
    ),
)  # fmt: skip
