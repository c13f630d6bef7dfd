"""Faults of batches: reductions, masks, padding, lengths, and sequences that are taken for each other."""

from __future__ import annotations

from ..reference.network import Batch, Elman, RecurrentNetwork
from .fault import Fault
from .patched import Change

_WEIGHTS, _X = "weights = problem.mask[..., None], problem.loss_weights", "np.where(mask, problem.inputs, 0), "
_EQUAL, _SUM = Batch(Elman(), N=3), Batch(Elman(), N=3, reduction="sum")
_POOLED = Batch(Elman(), N=2, reduction="pooled", lengths="any")
_LAST = Batch(Elman(), N=2, time="last", lengths="any")
_OUTPUTS = Batch(Elman(), N=2, outputs="mean")


def _fault(
    id: str, effect: str, old: str, new: str, network: RecurrentNetwork | None = None, *, seen: str = "",
    values: bool = False,
) -> Fault:  # fmt: skip
    changes = (Change("batched_bptt", old, new),)
    networks = (network,) if network else ()
    return Fault(id, "batches and padding", effect, "batched_bptt", changes, seen, networks=networks, values=values)


def _weights(id: str, effect: str, new: str, network: RecurrentNetwork | None = None, *, seen: str = "") -> Fault:
    return _fault(id, effect, _WEIGHTS, f"weights = problem.mask[..., None], {new}", network, seen=seen)


FAULTS = (
    _weights(
        "batch-summed-for-mean",
        "The gradients of the sequences are summed, where the loss is their mean.",
        "problem.loss_weights * N", _EQUAL,
    ),
    _weights(
        "batch-averaged-for-sum",
        "The gradients of the sequences are averaged, where the loss is their sum.",
        "problem.loss_weights / N", _SUM,
    ),
    _weights(
        "mean-over-padded-length",
        "The loss of each sequence is divided by T, the padded length, where it should be divided by its own.",
        "problem.loss_weights * problem.lengths / T",
    ),
    _weights(
        "mean-over-all-padded-steps",
        "The loss of all steps is divided by N T, padding included, and not by the number of steps that count.",
        "problem.loss_weights * int(problem.lengths.sum()) / (N * T)", _POOLED,
    ),
    _weights(
        "mean-over-outputs-missing",
        "The errors of the outputs are summed, where the loss is their mean.",
        "problem.loss_weights * problem.sizes.K", _OUTPUTS,
    ),
    _fault(
        "padding-not-masked",
        "Losses beyond the end of a sequence count as those before it do.",
        f"{_WEIGHTS}\n    x, y = {_X}np.where(mask, problem.targets, 0)",
        "weights = problem.mask[..., None], problem.loss_weights[:, [problem.lengths.argmax()] * N]\n"
        "    x, y = problem.inputs, problem.targets",
        Batch(Elman(), N=2, lengths="any", padding="numbers"),
    ),
    _fault(
        "nan-times-0",
        "Inputs beyond the end of a sequence are weighted with 0, and not replaced: 0 times NaN is NaN.",
        _X, "problem.inputs, ", values=True,
    ),
    _weights(
        "step-t-for-last-valid-step",
        "The loss is taken at step T of the padded sequence, where it should be taken at the sequence's own last step.",
        "np.concatenate([0 * problem.loss_weights[1:], problem.loss_weights.sum(axis=0)[None]])", _LAST,
    ),
    _weights(
        "mask-a-step-late",
        "The mask lags by one step, so that each sequence counts one step too many, and not its first.",
        "np.concatenate([0 * problem.loss_weights[:1], problem.loss_weights[:-1]])",
    ),
    _weights(
        "mask-of-another-sequence",
        "The masks of the sequences are exchanged: inputs were sorted by length, and lengths were not.",
        "problem.loss_weights[:, ::-1]",
    ),
    _weights(
        "first-sequence-only",
        "The first sequence alone counts.",
        "problem.loss_weights * (np.arange(N) == 0)", _EQUAL,
    ),
    _weights(
        "last-sequence-left-out",
        "The last sequence does not count.",
        "problem.loss_weights * (np.arange(N) < N - 1)", _EQUAL,
    ),
    _fault(
        "bias-counted-once",
        "The bias gets the mean over the sequences, where each of them adds its own.",
        'delta.sum(axis=0)', 'delta.sum(axis=0) / N',
    ),
    _fault(
        "bias-of-the-first-sequence",
        "The bias gets what the first sequence contributes.",
        'delta.sum(axis=0)', 'delta[0]',
    ),
    _fault(
        "sequences-mixed-by-reshape",
        "Inputs (T, N, D) become (N, T, D) by a reshape, where the axes should be exchanged.",
        _X, "np.where(mask, problem.inputs, 0).reshape(N, T, -1).swapaxes(0, 1), ", _EQUAL,
    ),
    _fault(
        "one-start-for-all",
        "Every sequence starts from the initial state of the first.",
        "[problem.initial_state]", "[np.repeat(problem.initial_state[:1], N, axis=0)]", _EQUAL,
    ),
    _fault(
        "starts-in-another-order",
        "The initial states are those of the sequences in the opposite order.",
        "[problem.initial_state]", "[problem.initial_state[::-1]]", _EQUAL,
    ),
    _fault(
        "batch-errors-averaged",
        "Every sequence goes back with the mean error of the batch.",
        "[net.output_error(u[n], y[t, n]) for n in range(N)])",
        "[net.output_error(u[n], y[t, n]) for n in range(N)])\n"
        "        e = np.repeat(e.sum(axis=0)[None] / N, N, axis=0)", _EQUAL,
    ),
)  # fmt: skip
