"""Rules from torch: any function of tensors, and torch's own `nn.RNN` with an `nn.Linear` readout.

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

import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..reference.claims import Claim
from ..reference.errors import GradcheckError
from ..reference.networks.base import RecurrentNetwork
from ..reference.problem import Problem, map_state
from .adapt import WrongResult
from .frameworks import (
    Rule,
    asked_for,
    check_function,
    declared,
    floats,
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
    name: str | None = None,
    N: int | None = None,
    packed: bool = False,
) -> Rule:
    """Make a rule for `gradcheck.audit` from a function of tensors, or from an `nn.RNN`, `nn.LSTM` or `nn.GRU`.

    For a layer, the network is `TorchRNN` with its settings, and the loss is half the squared error, summed over steps
    and outputs. The layer's own forward runs, at every size.

    Args:
        function: Called as function(parameters, inputs, targets, initial_state), and with loss_weights (T,) too if
            `weighted`. parameters is a dict of fresh leaf tensors that require a gradient, with the names and shapes
            of the network's; inputs are (T, D), targets (T, K). Returns the loss, a tensor of shape (), on which
            backward is called; or a dict of gradients; or None after it called backward itself, once or several
            times. A parameter that backward did not reach has gradient 0. May also be `nn.RNN`, `nn.LSTM`,
            `nn.GRU` or a subclass, or an instance of one, with any number of layers in one direction. On a
            `gradcheck.Batch`, arrays are those that it hands over, and a function with parameters `lengths` or `mask`
            gets these too.
        *claims: `Exact()` if left out.
        readout: The layer that reads out a recurrent one: `nn.Linear`, a subclass, or an instance.
        networks: As for `gradcheck.rule`.
        weighted: Pass loss weights, and audit the rule with them.
        dtype: The format to compute in, torch.float32 or torch.float64; the problem's own if left out.
        name: Its name in reports.
        N: Run a layer on N sequences at once; the loss is the sum of theirs.
        packed: Run a layer on packed sequences, of lengths that differ; needs N.

    Raises:
        GradcheckError: torch is missing, or `function` cannot be made a rule.
    """
    torch = required("torch")
    kind = _dtype(dtype)
    module = sys._getframe(1).f_globals.get("__name__", "__main__")
    layer = function if isinstance(function, type) else type(function)
    if issubclass(layer, torch.nn.Module):
        if networks is not None:
            raise GradcheckError("a layer determines its network; leave networks out")
        layers = Layers(function, readout, N, packed)
        loss = layers.loss if N is None else layers.loss_of_batch
        computed = _rule(loss, layers.begin, kind, weighted or N is not None, named(layer, name))
        made = declared(computed, layer, name, module, claims, [layers.network], weighted)
        made.__doc__ = f"{layer.__name__} with a {type(layers.readout).__name__} readout, as torch runs them."
        return made
    check_function(function, "torch")
    if N is not None or packed:
        raise GradcheckError("N and packed are for layers; a function's batches are networks=[gradcheck.Batch(...)]")
    if readout is not None:
        raise GradcheckError(f"{function!r:.80} is no recurrent layer, so it takes no readout; leave readout out")
    computed = _rule(function, _leaves, kind, weighted, named(function, name))
    return declared(computed, function, name, module, claims, networks, weighted)


def _dtype(dtype: Any) -> str | None:
    """Return the name of a dtype, or None for the problem's own."""
    kind = str(dtype).removeprefix("torch.")
    if dtype is None or kind in _DTYPES:
        return None if dtype is None else kind
    raise GradcheckError(f"dtype is {dtype!r}; pass torch.float32 or torch.float64, or None for the problem's own")


def _leaves(tensors: dict[str, Any]) -> dict[str, Any]:
    """Turn tensors into leaves of the graph."""
    return {key: tensor.requires_grad_() for key, tensor in tensors.items()}


def _rule(
    function: Callable[..., Any],
    begin: Callable[[dict[str, Any]], dict[str, Any]],
    kind: str | None,
    weighted: bool,
    name: str,
) -> Rule:
    """Return a function of a problem that calls `function` and reads the gradients.

    Args:
        function: The user's function of tensors.
        begin: Takes the parameters as tensors, and returns the leaves that `function` gets.
        kind: Name of the dtype, or None for the problem's own.
        weighted: Pass loss weights.
        name: The rule's name, for messages.
    """
    torch, asked = required("torch"), asked_for(function)

    def tensor(array: Any) -> Any:
        if array.dtype.kind in "iub":
            return torch.tensor(array)
        return torch.tensor(floats(array, "tensor").astype(kind or array.dtype))

    def computed(problem: Problem) -> dict[str, Any]:
        leaves = begin({key: tensor(array) for key, array in problem.parameters.items()})
        arguments = [tensor(problem.inputs), tensor(problem.targets), map_state(tensor, problem.initial_state)]
        if weighted:
            arguments.append(tensor(problem.loss_weights))
        batched = {each: tensor(array) for each, array in of_batch(problem, asked).items()}
        with torch.enable_grad():
            result = function(dict(leaves), *arguments, **batched)
            if not isinstance(result, dict):
                result = _backward(result, leaves, name)
        return {key: _array(value, name, key) for key, value in result.items()}

    return computed


def _backward(result: Any, leaves: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the gradients of the leaves, after a call of backward if the result is a loss."""
    torch = required("torch")
    called = any(leaf.grad is not None for leaf in leaves.values())
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
    found = {key: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for key, leaf in leaves.items()}
    return {key: _no_finer(grad, coarse) for key, grad in found.items()}


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
