"""Rules from torch: any function of tensors, and torch's own recurrent layers with an `nn.Linear` readout.

    import gradcheck, torch

    def loss(parameters, inputs, targets, initial_state):
        a, total = initial_state, 0
        for x, y in zip(inputs, targets):
            a = torch.tanh(x @ parameters["W"] + a @ parameters["R"])
            total = total + ((a @ parameters["V"] - y) ** 2).sum() / 2
        return total

    gradcheck.audit(gradcheck.torch.rule(loss))
    gradcheck.audit(gradcheck.torch.rule(torch.nn.RNN))

torch is imported when a rule is made. Tensors hold floats, so these rules are judged as black boxes, in the format that
they return.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from ..reference.claims import Claim
from ..reference.errors import GradcheckError
from ..reference.networks.base import RecurrentNetwork
from ..reference.problem import Problem, map_state
from ..reference.tree import leaves, map_nest
from ..reference.wanted import INITIAL_STATE, INPUTS, Of, kind_of
from .adapt import WrongResult
from .frameworks import (
    Rule,
    asked_for,
    check_function,
    declared,
    floats,
    kinds,
    named,
    of_batch,
    refuse_half,
    required,
    returned,
)
from .torch_layers import Layers
from .torch_layers import TorchRNN as TorchRNN

_DTYPES = ("float32", "float64")


def rule(
    function: Any,
    *claims: Claim,
    readout: Any = None,
    networks: Sequence[RecurrentNetwork] | None = None,
    weighted: bool = False,
    dtype: Any = None,
    device: Any = None,
    name: str | None = None,
    N: int | None = None,
    packed: bool = False,
) -> Rule:
    """Make a rule for `gradcheck.audit` from a function of tensors, or from one of torch's recurrent layers or cells.

    For a layer, the network is `TorchRNN` with its settings, and the loss is half the squared error, summed over steps
    and outputs. The layer's own forward runs, at every size.

    Args:
        function: Called as function(parameters, inputs, targets, initial_state), and with loss_weights (T,) too if
            `weighted`. parameters is a dict of fresh leaf tensors that require a gradient, with the names and shapes
            of the network's; inputs are (T, D), targets (T, K). Returns the loss, a tensor of shape (), on which
            backward is called; or a dict of gradients; or None after it called backward itself, once or several
            times. An array that backward did not reach has gradient 0. May also be `nn.RNN`, `nn.LSTM`,
            `nn.GRU`, one of their cells, a subclass, or an instance of one, with any number of layers in one direction.
            On a `gradcheck.Batch`, arrays are those that it hands over, and a function with parameters `lengths` or
            `mask` gets these too.
        *claims: `Exact()` if left out. With `Exact(of=("parameters", "inputs", "initial_state"))` inputs and initial
            state are leaves that require a gradient too; a dict of gradients then has "inputs" and "initial_state",
            nested as the state is.
        readout: The layer that reads out a recurrent one: `nn.Linear`, a subclass, or an instance.
        networks: As for `gradcheck.rule`.
        weighted: Pass loss weights, and audit the rule with them.
        dtype: The format to compute in, torch.float32 or torch.float64; the problem's own if left out.
        device: Where to compute, as `torch.device` takes it: "cuda", "cuda:1", "mps"; the processor if left out.
            What it returns is judged by the rounding of the format that it returns, so products in a coarser one are
            found out.
        name: Its name in reports.
        N: Run a layer on N sequences at once; the loss is the sum of theirs.
        packed: Run a layer on packed sequences, of lengths that differ; needs N.

    Raises:
        GradcheckError: torch is missing, or `function` cannot be made a rule.
    """
    torch = required("torch")
    kind, place = _dtype(dtype), _device(device)
    module = sys._getframe(1).f_globals.get("__name__", "__main__")
    layer = function if isinstance(function, type) else type(function)
    if issubclass(layer, torch.nn.Module):
        if networks is not None:
            raise GradcheckError("a layer determines its network; leave networks out")
        layers = Layers(function, readout, place, N, packed)
        loss = layers.loss if N is None else layers.loss_of_batch
        run = _rule(loss, layers.begin, kind, place, weighted or N is not None, named(layer, name), kinds(claims))
        computed = _one_at_a_time(run)
        made = declared(computed, layer, name, module, claims, [layers.network], weighted)
        made.__doc__ = f"{layer.__name__} with a {type(layers.readout).__name__} readout, as torch runs them."
        return made
    check_function(function, "torch")
    if N is not None or packed:
        raise GradcheckError("N and packed are for layers; a function's batches are networks=[gradcheck.Batch(...)]")
    if readout is not None:
        raise GradcheckError(f"{function!r:.80} is no recurrent layer, so it takes no readout; leave readout out")
    computed = _rule(function, _leaves, kind, place, weighted, named(function, name), kinds(claims))
    return declared(computed, function, name, module, claims, networks, weighted)


def _dtype(dtype: Any) -> str | None:
    """Return the name of a dtype, or None for the problem's own."""
    kind = str(dtype).removeprefix("torch.")
    if dtype is None or kind in _DTYPES:
        return None if dtype is None else kind
    raise GradcheckError(f"dtype is {dtype!r}; pass torch.float32 or torch.float64, or None for the problem's own")


def _device(device: Any) -> Any:
    """Return a device that is there, without a touch that would keep this process from being forked."""
    torch = required("torch")
    try:
        found = torch.device("cpu" if device is None else device)
    except (RuntimeError, TypeError) as error:
        raise GradcheckError(f'device is {device!r}: {error}; pass "cpu", "cuda", "cuda:1", ...') from None
    counts = {"cpu": lambda: 1, "cuda": torch.cuda.device_count, "mps": torch.backends.mps.is_available}
    number = int(counts[found.type]()) if found.type in counts else 0
    if (found.index or 0) >= number:
        there = ", ".join(kind for kind, count in counts.items() if count())
        raise GradcheckError(f"device is {device!r}, which torch does not find here; it finds {there}")
    return found


def _leaves(tensors: dict[str, Any]) -> dict[str, Any]:
    """Turn tensors into leaves of the graph."""
    return {key: tensor.requires_grad_() for key, tensor in tensors.items()}


def _rule(
    function: Callable[..., Any],
    begin: Callable[[dict[str, Any]], dict[str, Any]],
    kind: str | None,
    device: Any,
    weighted: bool,
    name: str,
    of: Of,
) -> Rule:
    """Return a function of a problem that calls `function` and reads the gradients.

    Args:
        function: The user's function of tensors.
        begin: Takes the parameters as tensors, and returns the leaves that `function` gets.
        kind: Name of the dtype, or None for the problem's own.
        device: Where the tensors are.
        weighted: Pass loss weights.
        name: The rule's name, for messages.
        of: The kinds of arrays whose gradients it returns.
    """
    torch, asked = required("torch"), asked_for(function)

    def tensor(array: Any) -> Any:
        if array.dtype.kind in "iub":
            return torch.tensor(array, device=device)
        return torch.tensor(floats(array, "tensor").astype(kind or array.dtype), device=device)

    def leaf(array: Any) -> Any:
        return tensor(array).requires_grad_()

    def computed(problem: Problem) -> dict[str, Any]:
        begun = begin({key: tensor(array) for key, array in problem.parameters.items()})
        inputs = (leaf if INPUTS in of else tensor)(problem.inputs)
        state = map_state(leaf if INITIAL_STATE in of else tensor, problem.initial_state)
        arguments = [inputs, tensor(problem.targets), state]
        if weighted:
            arguments.append(tensor(problem.loss_weights))
        batched = {each: tensor(array) for each, array in of_batch(problem, asked).items()}
        moved = {**begun, INPUTS: inputs, INITIAL_STATE: state}
        moved = {key: nest for key, nest in moved.items() if kind_of(key) in of}
        with torch.enable_grad():
            result = function(dict(begun), *arguments, **batched)
            if not isinstance(result, dict):
                result = _backward(result, moved, name)
        return {key: map_nest(functools.partial(_array, name=name, key=key), value) for key, value in result.items()}

    return computed


_MODULES = threading.RLock()
"""Lock of the modules of layers, which hold the parameters of one call."""


def _one_at_a_time(rule: Rule) -> Rule:
    """Return a rule of which threads wait for each other's calls."""

    def computed(problem: Problem) -> dict[str, Any]:
        with _MODULES:
            return rule(problem)

    return computed


def _backward(result: Any, asked: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the gradients of nests of leaves, after a call of backward if the result is a loss."""
    torch = required("torch")
    called = any(leaf.grad is not None for leaf in leaves(asked))
    coarse = None
    if isinstance(result, torch.Tensor) and result.shape == () and result.is_floating_point():
        if called:
            raise WrongResult(f"{name} called backward and returned a loss; return None, or do not call backward")
        if result.requires_grad:
            result.backward()
        coarse = result.dtype
    elif result is not None or not called:
        raise returned(
            result, name, "a loss of shape (), a dict of gradients, or None after backward() on the parameters given"
        )

    def gradient(leaf: Any) -> Any:
        return _no_finer(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad, coarse)

    return map_nest(gradient, asked)  # type: ignore[no-any-return]


def _no_finer(gradient: Any, dtype: Any) -> Any:
    """Convert a gradient to the format of its loss if that is coarser, since it is no more accurate."""
    finfo = required("torch").finfo
    return gradient.to(dtype) if dtype and finfo(dtype).eps > finfo(gradient.dtype).eps else gradient


def _array(value: Any, name: str, key: str) -> Any:
    """Copy a tensor to a NumPy array. Return anything else unchanged, to be judged."""
    torch = required("torch")
    if not isinstance(value, torch.Tensor):
        return value
    refuse_half(str(value.dtype).removeprefix("torch."), name, key)
    return value.detach().to_dense().cpu().numpy().copy()
