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

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..reference.claims import Claim
from ..reference.errors import GradcheckError
from ..reference.networks.base import RecurrentNetwork
from ..reference.problem import Problem, map_state
from ..reference.tree import leaves, map_nest
from ..reference.wanted import INITIAL_STATE, INPUTS, Of, kind_of
from .adapt import WrongResult
from .frameworks import Rule, check_function, declared, floats, kinds, named, refuse_half, required, returned
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
    """Make a rule for `gradcheck.audit` from a function of tensors, or from an `nn.RNN`, `nn.LSTM` or `nn.GRU`.

    For a layer, the network is `TorchRNN` with its settings, and the loss is half the squared error, summed over steps
    and outputs. The layer's own forward runs, at every size.

    Args:
        function: Called as function(parameters, inputs, targets, initial_state), and with loss_weights (T,) too if
            `weighted`. parameters is a dict of fresh leaf tensors that require a gradient, with the names and shapes
            of the network's; inputs are (T, D), targets (T, K). Returns the loss, a tensor of shape (), on which
            backward is called; or a dict of gradients; or None after it called backward itself, once or several
            times. An array that backward did not reach has gradient 0. May also be `nn.RNN`, `nn.LSTM`,
            `nn.GRU` or a subclass, or an instance of one, with any number of layers in one direction.
        *claims: `Exact()` if left out. With `Exact(of=("parameters", "inputs", "initial_state"))` inputs and initial
            state are leaves that require a gradient too; a dict of gradients then has "inputs" and "initial_state",
            nested as the state is.
        readout: The layer that reads out a recurrent one: `nn.Linear`, a subclass, or an instance.
        networks: As for `gradcheck.rule`.
        weighted: Pass loss weights, and audit the rule with them.
        dtype: The format to compute in, torch.float32 or torch.float64; the problem's own if left out.
        name: Its name in reports.

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
        layers = Layers(function, readout)
        computed = _rule(layers.loss, layers.begin, kind, weighted, named(layer, name), kinds(claims))
        made = declared(computed, layer, name, module, claims, [layers.network], weighted)
        made.__doc__ = f"{layer.__name__} with a {type(layers.readout).__name__} readout, as torch runs them."
        return made
    check_function(function, "torch")
    if readout is not None:
        raise GradcheckError(f"{function!r:.80} is no recurrent layer, so it takes no readout; leave readout out")
    computed = _rule(function, _leaves, kind, weighted, named(function, name), kinds(claims))
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
    of: Of,
) -> Rule:
    """Return a function of a problem that calls `function` and reads the gradients.

    Args:
        function: The user's function of tensors.
        begin: Takes the parameters as tensors, and returns the leaves that `function` gets.
        kind: Name of the dtype, or None for the problem's own.
        weighted: Pass loss weights.
        name: The rule's name, for messages.
        of: The kinds of arrays whose gradients it returns.
    """
    torch = required("torch")

    def tensor(array: Any) -> Any:
        return torch.tensor(floats(array, "tensor").astype(kind or array.dtype))

    def leaf(array: Any) -> Any:
        return tensor(array).requires_grad_()

    def computed(problem: Problem) -> dict[str, Any]:
        begun = begin({key: tensor(array) for key, array in problem.parameters.items()})
        inputs = (leaf if INPUTS in of else tensor)(problem.inputs)
        state = map_state(leaf if INITIAL_STATE in of else tensor, problem.initial_state)
        arguments = [inputs, tensor(problem.targets), state]
        if weighted:
            arguments.append(tensor(problem.loss_weights))
        asked = {**begun, INPUTS: inputs, INITIAL_STATE: state}
        asked = {key: nest for key, nest in asked.items() if kind_of(key) in of}
        with torch.enable_grad():
            result = function(dict(begun), *arguments)
            if not isinstance(result, dict):
                result = _backward(result, asked, name)
        return {key: map_nest(functools.partial(_array, name=name, key=key), value) for key, value in result.items()}

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
