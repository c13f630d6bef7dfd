"""Rules from JAX: any function of arrays, which may use jit, scan or custom_vjp.

    import gradcheck, jax, jax.numpy as jnp

    def loss(parameters, inputs, targets, initial_state):
        def step(a, x):
            a = jnp.tanh(x @ parameters["W"] + a @ parameters["R"])
            return a, a @ parameters["V"]
        return ((jax.lax.scan(step, initial_state, inputs)[1] - targets) ** 2).sum() / 2

    gradcheck.audit(gradcheck.jax.rule(loss))

JAX is imported when a rule is made, and its global configuration is left alone. Its arrays hold floats, so these rules
are judged as black boxes, in the format that they return. In the networks here relu has slope 0 at 0, like
`jax.nn.relu`; the slope of `jnp.maximum(s, 0)` is 1/2 there.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..reference.claims import Claim
from ..reference.errors import GradcheckError
from ..reference.networks.base import RecurrentNetwork
from ..reference.problem import Problem, map_state
from ..reference.wanted import INITIAL_STATE, INPUTS, PARAMETERS
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

_PLACE = {PARAMETERS: 0, INPUTS: 1, INITIAL_STATE: 3}
"""Places of a function's arguments by the kinds of arrays that gradients are asked for."""


def rule(
    function: Any,
    *claims: Claim,
    networks: Sequence[RecurrentNetwork] | None = None,
    weighted: bool = False,
    jit: bool = True,
    x64: bool | None = None,
    name: str | None = None,
) -> Rule:
    """Make a rule for `gradcheck.audit` from a function of JAX arrays.

    Args:
        function: Called as function(parameters, inputs, targets, initial_state), and with loss_weights (T,) too if
            `weighted`. parameters is a dict of arrays with the names and shapes of the network's; inputs are (T, D),
            targets (T, K). Returns the loss, of shape (), whose `jax.grad` is taken, or a dict of gradients. On a
            `gradcheck.Batch`, arrays are those that it hands over, and a function with parameters `lengths` or `mask`
            gets these too.
        *claims: `Exact()` if left out. `Exact(of=("parameters", "inputs", "initial_state"))` takes `jax.grad` in these
            too; a dict of gradients then has "inputs" and "initial_state", nested as the state is.
        networks: As for `gradcheck.rule`.
        weighted: Pass loss weights, and audit the rule with them.
        jit: Compile the function, once for each shape.
        x64: Let JAX use float64. If left out, it does on problems in float64. Without it, the rule computes, and is
            judged, in float32.
        name: Its name in reports.

    Raises:
        GradcheckError: JAX is missing, or `function` cannot be made a rule.
    """
    jax = required("jax")
    check_function(function, "jax")
    if x64 not in (None, True, False):
        raise GradcheckError(f"x64 is {x64!r}; pass True, False, or None to follow the problem")
    module = sys._getframe(1).f_globals.get("__name__", "__main__")
    known, asked, of = named(function, name), asked_for(function), kinds(claims)
    home = jax if hasattr(jax, "enable_x64") else required("jax.experimental")  # its place before JAX 0.8

    def gradients(*arguments: Any, **batched: Any) -> Any:
        own = functools.partial(function, **batched)
        result = jax.eval_shape(own, *arguments) if jit else own(*arguments)
        if isinstance(result, dict):
            return own(*arguments) if jit else result
        if getattr(result, "shape", None) != () or not jax.numpy.issubdtype(result.dtype, jax.numpy.floating):
            raise returned(result, known, "a loss of shape () or a dict of gradients")
        found = jax.grad(own, tuple(_PLACE[kind] for kind in of))(*arguments)
        found = jax.tree.map(lambda gradient: no_finer(gradient, result.dtype), dict(zip(of, found, strict=True)))
        return {**found.pop(PARAMETERS, {}), **found}

    def no_finer(gradient: Any, dtype: Any) -> Any:
        """Convert a gradient to the format of its loss if that is coarser, since it is no more accurate."""
        finfo = jax.numpy.finfo
        return gradient.astype(dtype) if finfo(dtype).eps > finfo(gradient.dtype).eps else gradient

    compiled = jax.jit(gradients) if jit else gradients

    def array(value: Any) -> Any:
        own = value if value.dtype.kind in "iub" else floats(value, "JAX array")
        return jax.device_put(own.copy())  # jnp.array would compile a copy for each shape

    def computed(problem: Problem) -> dict[str, Any]:
        with home.enable_x64(problem.inputs.dtype == np.float64 if x64 is None else x64):
            arguments = [array(problem.inputs), array(problem.targets), map_state(array, problem.initial_state)]
            if weighted:
                arguments.append(array(problem.loss_weights))
            parameters = {key: array(value) for key, value in problem.parameters.items()}
            batched = {each: array(value) for each, value in of_batch(problem, asked).items()}
            result = compiled(parameters, *arguments, **batched)
            return {key: _owned(value, known, key, jax) for key, value in result.items()}

    return declared(computed, function, name, module, claims, networks, weighted)


def _owned(nest: Any, name: str, key: str, jax: Any) -> Any:
    """Copy each JAX array of a nest to a NumPy array."""
    return jax.tree.map(lambda value: _own(value, name, key, jax), nest)


def _own(value: Any, name: str, key: str, jax: Any) -> Any:
    """Copy a JAX array to a NumPy array. Return anything else unchanged, to be judged."""
    if not isinstance(value, jax.Array):
        return value
    refuse_half(value.dtype.name, name, key)
    return np.array(value)
