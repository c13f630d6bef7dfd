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

torch is imported when a rule is made, and not before. Tensors hold floats, so these rules are judged as black
boxes, at the format that they return.
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
from .frameworks import Rule, check_function, declared, floats, named, refuse_half, required, returned
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
) -> Rule:
    """A rule for `gradcheck.audit` from a function of tensors, or from an `nn.RNN`.

    function: called as function(parameters, inputs, targets, initial_state), and if `weighted` with loss_weights
    (T,) too; parameters is a dict of fresh leaf tensors that require a gradient, with the names and shapes of
    the network's. It returns the loss, a tensor of shape (), which is then sent backward; or a dict of gradients;
    or None after calling backward itself, once or several times. A parameter that was not reached has gradient 0.
    function may also be `nn.RNN`, a subclass or an instance of either, with one layer in one direction: then the
    network is `TorchRNN` with its settings, and the loss half the squared error summed over steps and outputs;
    the layer's own forward is run, at every size. readout: for it, an `nn.Linear`, the class or an instance.
    claims: `Exact()` if left out. networks: as for `gradcheck.rule`. dtype: what to compute in, torch.float32 or
    torch.float64, the problem's own if left out. name: in reports.

    Raises `GradcheckError` where torch is missing, and for what cannot be made a rule.
    """
    torch = required("torch")
    kind = _dtype(dtype)
    module = sys._getframe(1).f_globals.get("__name__", "__main__")
    layer = function if isinstance(function, type) else type(function)
    if issubclass(layer, torch.nn.Module):
        if networks is not None:
            raise GradcheckError("the network of a layer follows from the layer itself; leave networks out")
        layers = Layers(function, readout)
        computed = _rule(layers.loss, layers.begin, kind, weighted, named(layer, name))
        made = declared(computed, layer, name, module, claims, [layers.network], weighted)
        made.__doc__ = f"{layer.__name__} with a {type(layers.readout).__name__} readout, as torch runs them."
        return made
    check_function(function, "torch")
    if readout is not None:
        raise GradcheckError(f"a readout goes with an nn.RNN; {function!r:.80} is none")
    computed = _rule(function, _leaves, kind, weighted, named(function, name))
    return declared(computed, function, name, module, claims, networks, weighted)


def _dtype(dtype: Any) -> str | None:
    """The dtype's name, or None for the problem's own."""
    kind = str(dtype).removeprefix("torch.")
    if dtype is None or kind in _DTYPES:
        return None if dtype is None else kind
    raise GradcheckError(f"dtype is {dtype!r}; wanted torch.float32 or torch.float64, or None for the problem's own")


def _leaves(tensors: dict[str, Any]) -> dict[str, Any]:
    """Leaves of the graph with these values."""
    return {key: tensor.requires_grad_() for key, tensor in tensors.items()}


def _rule(
    function: Callable[..., Any],
    begin: Callable[[dict[str, Any]], dict[str, Any]],
    kind: str | None,
    weighted: bool,
    name: str,
) -> Rule:
    """The rule that hands `function` what `begin` makes of the parameters, and reads gradients off that."""
    torch = required("torch")

    def tensor(array: Any) -> Any:
        return torch.tensor(floats(array, "tensor").astype(kind or array.dtype))

    def computed(problem: Problem) -> dict[str, Any]:
        leaves = begin({key: tensor(array) for key, array in problem.parameters.items()})
        arguments = [tensor(problem.inputs), tensor(problem.targets), map_state(tensor, problem.initial_state)]
        if weighted:
            arguments.append(tensor(problem.loss_weights))
        with torch.enable_grad():
            came = function(dict(leaves), *arguments)
            if not isinstance(came, dict):
                came = _backward(came, leaves, name)
        return {key: _array(value, name, key) for key, value in came.items()}

    return computed


def _backward(came: Any, leaves: dict[str, Any], name: str) -> dict[str, Any]:
    """The gradients on the leaves, after sending the loss backward if one came."""
    torch = required("torch")
    called = any(leaf.grad is not None for leaf in leaves.values())
    coarse = None
    if isinstance(came, torch.Tensor) and came.shape == () and came.is_floating_point():
        if called:
            raise WrongResult(
                f"{name} called backward and returned a loss; return None after backward, or the loss without it"
            )
        if came.requires_grad:
            came.backward()
        coarse = came.dtype
    elif came is not None or not called:
        raise returned(
            came, name, "a loss of shape (), a dict of gradients, or None after backward() on the parameters given"
        )
    found = {key: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for key, leaf in leaves.items()}
    return {key: _no_finer(grad, coarse) for key, grad in found.items()}


def _no_finer(gradient: Any, dtype: Any) -> Any:
    """The gradient in the format of its loss where that is coarser: it can be no better, and is judged so."""
    finfo = required("torch").finfo
    return gradient.to(dtype) if dtype and finfo(dtype).eps > finfo(gradient.dtype).eps else gradient


def _array(value: Any, name: str, key: str) -> Any:
    """A tensor as an array of its own; anything else as it is, to be judged."""
    torch = required("torch")
    if not isinstance(value, torch.Tensor):
        return value
    refuse_half(str(value.dtype).removeprefix("torch."), name, key)
    return value.detach().to_dense().cpu().numpy().copy()
