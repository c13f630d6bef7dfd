"""Faults of memory: rules that keep state between calls, or share it with the caller."""

from __future__ import annotations

from .fault import Fault
from .patched import Change

_KEY = '(R.shape, R.dtype, getattr(R, "field", None))'
_BPTT = 'net = unfold(problem)\n    return net.gradient(backpropagate(problem.parameters["R"], net.slope, net.d))\n'
_RTRL_START = (
    "return Influence(network, parameters, initial_state, slope, np.zeros_like(slope, shape=(n, (D + n) * n)))"
)


def _kept(module: str, line: str) -> Change:
    return Change(module, f"{line}\n", f"{line}\n\nKEPT: dict = {{}}\n")


def _fault(id: str, effect: str, body: str, *, seen: str = "", kept: bool = False) -> Fault:
    new = (
        'R, net = problem.parameters["R"], unfold(problem)\n'
        f"    gradient = net.gradient(backpropagate(R, net.slope, net.d))\n{body}"
    )
    changes = (*((_kept("bptt", "from .unfolding import unfold"),) if kept else ()), Change("bptt", _BPTT, new))
    return Fault(id, "state between calls", effect, "bptt", changes, seen, breaks="pure")


FAULTS = (
    _fault(
        "gradient-accumulated",
        "The gradients of all calls so far are summed: nothing sets them to zero.",
        f'    key = (problem.sizes.D, problem.sizes.K, {_KEY})\n'
        "    kept = KEPT.get(key, {name: 0 for name in gradient})\n"
        "    KEPT[key] = {name: kept[name] + gradient[name] for name in gradient}\n"
        "    return {name: array.copy() for name, array in KEPT[key].items()}\n",
        kept=True,
        seen="huggingface/transformers issue 340, pytorch/pytorch issue 47175 (zero_grad forgotten)",
    ),
    Fault(
        "influence-not-reset",
        "state between calls",
        "A sequence starts with the influence that the last one ended with, where it should start with 0.",
        "rtrl",
        (
            _kept("rtrl", "from gradcheck.reference.typing import Array, Gradient, Parameters"),
            Change(
                "rtrl", _RTRL_START,
                "slope, M = KEPT.get(\n"
                '            (D, n, initial_state.dtype, getattr(initial_state, "field", None)),\n'
                "            (slope, np.zeros_like(slope, shape=(n, (D + n) * n))),\n"
                "        )\n"
                "        return Influence(network, parameters, initial_state, slope, M)",
            ),
            Change(
                "rtrl", "a, slope = net.activation(s), net.activation.derivative(s)\n",
                "a, slope = net.activation(s), net.activation.derivative(s)\n"
                '        KEPT[D, n, a.dtype, getattr(a, "field", None)] = slope, M\n',
            ),
        ),
        breaks="pure",
    ),
    Fault(
        "stale-buffer",
        "state between calls",
        "delta lives in a buffer that is kept, and its last row is never written anew: the last sequence's is used.",
        "bptt",
        (
            _kept("bptt", "from .unfolding import unfold"),
            Change(
                "bptt", "    delta = d.copy()\n",
                '    key = (d.shape, d.dtype, getattr(d, "field", None))\n'
                "    delta = KEPT.get(key, d).copy()\n"
                "    delta[:-1], KEPT[key] = d[:-1], d.copy()\n",
            ),
        ),
        breaks="pure",
    ),
    _fault(
        "returns-its-buffer",
        "dV is right, but lives in a buffer that the next call overwrites.",
        f'    kept = KEPT.setdefault((problem.sizes.K, {_KEY}), gradient["V"].copy())\n'
        '    kept[...] = gradient["V"]\n'
        '    return {**gradient, "V": kept}\n',
        kept=True,
    ),
    _fault(
        "changes-its-parameters",
        "dR is right, but is returned in the caller's own R, which it overwrites.",
        '    R[...] = gradient["R"]\n    return {**gradient, "R": R}\n',
    ),
    _fault(
        "changes-its-inputs",
        "The gradient is right, but the caller's inputs are reversed in place for the backward pass and stay so.",
        "    problem.inputs[...] = problem.inputs[::-1].copy()\n    return gradient\n",
    ),
)  # fmt: skip
