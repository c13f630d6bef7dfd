"""Faults of the loss: left out, counted twice, or differentiated wrongly."""

from __future__ import annotations

from ..reference.network import Network, RecurrentNetwork
from .fault import Fault
from .patched import Change

_ERROR = "net.output_error(u[t], y[t])"
_LOOP = "for t in range(T):\n        e[t]"
_READ = "x, y, T = problem.inputs, problem.targets, problem.T"
_WEIGHTED = "problem.loss_weights[:, None] * e"


def _fault(
    id: str,
    effect: str,
    *changes: Change,
    base: str = "bptt",
    seen: str = "",
    networks: tuple[RecurrentNetwork, ...] = (),
) -> Fault:
    return Fault(id, "loss", effect, base, changes, seen, networks=networks)


FAULTS = (
    _fault(
        "loss-at-the-last-step-only",
        "Only the loss at T is differentiated; right where T = 1, or all other weights are 0.",
        Change("unfolding", _LOOP, "for t in range(T - 1, T):\n        e[t]"),
    ),
    _fault(
        "last-loss-dropped",
        "The loss at T is left out.",
        Change("unfolding", _LOOP, "for t in range(T - 1):\n        e[t]"),
    ),
    _fault(
        "loss-weights-ignored",
        "Every step's loss counts with weight 1; right where they all are.",
        Change("unfolding", _WEIGHTED, "1 * e"),
    ),
    _fault(
        "losses-injected-twice",
        "Each loss but the last enters the recursion twice.",
        Change("bptt", "d[t] + slope[t]", "2 * d[t] + slope[t]"),
    ),
    _fault(
        "overlap-counted-twice",
        "Every backward pass injects all the losses of its window, so those in the overlap of two count again.",
        Change("windowed_bptt", "if t >= done:", "if t >= 0:"),
        base="windowed_bptt",
        seen="what Williams & Peng 1990 guard BPTT(h; h') against: a pass injects only the errors since the last one",
    ),
    _fault(
        "overlap-overwritten",
        "A backward pass overwrites what earlier passes found for the same steps, where it should add to it.",
        Change("windowed_bptt", "delta[t] = delta[t] + carried", "delta[t] = carried"),
        base="windowed_bptt",
        seen="tensorflow/swift-apis issue 518 (= for +=)",
    ),
    _fault(
        "output-derivative-left-out",
        "e = yhat - y, without g' of the tanh output.",
        Change("unfolding", _ERROR, "net.output(u[t]) - y[t]"),
        networks=(Network("tanh", "tanh", "squared_error"),),
    ),
    _fault(
        "output-derivative-doubled",
        "yhat - y, which already is the derivative by u, goes through the softmax's Jacobian once more.",
        Change("unfolding", _ERROR, f"net.output.pull(u[t], {_ERROR})"),
        seen="NVIDIA/VariantWorks pull request 134, tflearn/tflearn pull request 562 (softmax applied twice)",
        networks=(Network("tanh", "softmax", "categorical_cross_entropy"),),
    ),
    _fault(
        "padded-and-not-masked",
        "The sequence is padded with zeros to the next multiple of 4 steps, and the padded steps' losses count.",
        Change(
            "unfolding",
            _READ,
            "x, y, T = problem.inputs, problem.targets, problem.T + 4 - problem.T % 4\n"
            "    x = np.concatenate([x, np.zeros_like(x, shape=(T - len(x), x.shape[1]))])\n"
            "    y = np.concatenate([y, np.zeros_like(y, shape=(T - len(y), y.shape[1]))])\n"
            "    padding = 1 + np.zeros_like(x, shape=(T - problem.T,))",
        ),
        Change("unfolding", _WEIGHTED, "np.concatenate([problem.loss_weights, padding])[:, None] * e"),
        seen="ray-project/ray issue 15523",
    ),
)  # fmt: skip
