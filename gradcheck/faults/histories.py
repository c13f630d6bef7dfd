"""Faults that show after certain other calls only: caches with too small a key, buffers, counters."""

from __future__ import annotations

from .fault import Fault
from .hidden import NUMPY, RESULT, hidden
from .patched import Change

_HEAD = (
    '    R, x, y = problem.parameters["R"], problem.inputs, problem.targets\n'
    "    gradient = net.gradient(backpropagate(R, net.slope, net.d))\n"
)
_KEPT = Change("bptt", "from .unfolding import unfold\n", "from .unfolding import unfold\n\nKEPT: dict = {}\n")
_KIND = 'x.dtype, getattr(x, "field", None)'


def _history(id: str, effect: str, body: str, seen: str = "") -> Fault:
    changes = (NUMPY, _KEPT, Change("bptt", RESULT, _HEAD + body))
    return hidden(id, "histories", effect, "histories", changes, seen=seen, breaks="pure")


FAULTS = (
    _history(
        "cache-keyed-by-shape",
        "Results are cached by the shapes of the problem: another problem of the same shapes gets the first one's.",
        f"    key = (problem.sizes, {_KIND})\n    return dict(KEPT.setdefault(key, gradient))\n",
    ),
    _history(
        "cache-but-for-the-state",
        "Results are cached by everything but the initial state.",
        "    if x.dtype.kind != \"f\":\n        return gradient\n"
        "    parts = (*problem.parameters.values(), x, y, problem.loss_weights)\n"
        "    key = tuple((part.shape, part.tobytes()) for part in parts)\n"
        "    return {name: array.copy() for name, array in KEPT.setdefault(key, gradient).items()}\n",
    ),
    _history(
        "cache-without-the-targets",
        "Results are cached by everything but the targets.",
        "    if x.dtype.kind != \"f\":\n        return gradient\n"
        "    parts = (*problem.parameters.values(), x, problem.initial_state, problem.loss_weights)\n"
        "    key = tuple((part.shape, part.tobytes()) for part in parts)\n"
        "    return {name: array.copy() for name, array in KEPT.setdefault(key, gradient).items()}\n",
    ),
    _history(
        "every-400th-call",
        "A counter of calls wraps at 400, and that call returns twice dR.",
        '    KEPT["calls"] = KEPT.get("calls", 0) + 1\n'
        '    return {**gradient, "R": gradient["R"] * 2} if KEPT["calls"] % 400 == 0 else gradient\n',
    ),
    _history(
        "reserve-space-reused",
        "A forward pass that meets the sizes of the last one adds its slopes to what the last one left.",
        f"    key = (problem.sizes, {_KIND})\n"
        '    again = KEPT.get("last") == key\n'
        '    KEPT["last"] = key\n'
        '    return {**gradient, "R": gradient["R"] * 2} if again else gradient\n',
        "reserve space that a fused kernel shares between its calls",
    ),
    _history(
        "state-carried-over",
        "A sequence of the sizes of the last one starts from the state that the last one ended with.",
        f"    key = (problem.sizes, {_KIND})\n"
        "    start = KEPT.get(key)\n"
        "    KEPT[key] = net.a[-1].copy()\n"
        "    if start is None:\n        return gradient\n"
        "    other = unfold(problem.replace(initial_state=start))\n"
        "    return other.gradient(backpropagate(R, other.slope, other.d))\n",
        "torch's own example of a language model, where repackage_hidden is forgotten",
    ),
    _history(
        "one-result-late",
        "Each call returns the result of the call before it at the same sizes.",
        f"    key = (problem.sizes, {_KIND})\n"
        "    late = KEPT.get(key, gradient)\n"
        "    KEPT[key] = gradient\n"
        "    return dict(late)\n",
        "results of an asynchronous queue that are read before they are ready",
    ),
    _history(
        "workspace-of-all-threads",
        "The result is gathered in a dict of the module: a call of another thread at the same time changes it.",
        '    KEPT["gradient"] = gradient\n'
        '    return {name: array.copy() for name, array in KEPT["gradient"].items()}\n',
        "modules that keep the gradient of their last backward pass in themselves",
    ),
    _history(
        "errors-of-all-threads",
        "The errors of the last step wait in a list of the module, and another thread may take them.",
        '    KEPT.setdefault("errors", []).append(net.e)\n'
        '    e = KEPT["errors"][-1]\n'
        '    KEPT["errors"].pop()\n'
        '    return {**gradient, "V": net.a[1:].T @ e}\n',
    ),
)  # fmt: skip
