"""Rules from JAX: any function of arrays, with jit, scan, custom_vjp and what else it uses.

    import gradcheck, jax, jax.numpy as jnp

    def loss(parameters, inputs, targets, initial_state):
        def step(a, x):
            a = jnp.tanh(x @ parameters["W"] + a @ parameters["R"])
            return a, a @ parameters["V"]
        return ((jax.lax.scan(step, initial_state, inputs)[1] - targets) ** 2).sum() / 2

    gradcheck.audit(gradcheck.jax.rule(loss))

JAX is imported when a rule is made, and not before; its global configuration is left as it is. Its arrays hold
floats, so these rules are judged as black boxes, at the format that they return. relu has slope 0 at 0 in the networks
here, as `jax.nn.relu` has; that of `jnp.maximum(s, 0)` is 1/2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..reference.claims import Claim
from ..reference.errors import GradcheckError
from ..reference.networks.base import RecurrentNetwork
from ..reference.problem import Problem, map_state
from .frameworks import Rule, check_function, declared, floats, named, refuse_half, required, returned


def rule(
    function: Any,
    *claims: Claim,
    networks: Sequence[RecurrentNetwork] | None = None,
    weighted: bool = False,
    jit: bool = True,
    x64: bool | None = None,
    name: str | None = None,
) -> Rule:
    """A rule for `gradcheck.audit` from a function of JAX arrays.

    function: called as function(parameters, inputs, targets, initial_state), and if `weighted` with loss_weights
    (T,) too; parameters is a dict of arrays with the names and shapes of the network's. It returns the loss, of
    shape (), whose `jax.grad` is taken, or a dict of gradients. claims: `Exact()` if left out. networks: as for
    `gradcheck.rule`. jit: whether it is compiled, once for each shape. x64: whether JAX may use float64 in it; if
    left out, where the problem is float64. Without it everything is computed, and judged, in float32. name: in reports.

    Raises `GradcheckError` where JAX is missing, and for what cannot be made a rule.
    """
    jax = required("jax")
    check_function(function, "jax")
    if x64 not in (None, True, False):
        raise GradcheckError(f"x64 is {x64!r}; wanted True, False, or None to follow the problem")
    module = sys._getframe(1).f_globals.get("__name__", "__main__")
    known = named(function, name)
    home = jax if hasattr(jax, "enable_x64") else required("jax.experimental")  # where it was before JAX 0.8

    def gradients(*arguments: Any) -> Any:
        came = jax.eval_shape(function, *arguments) if jit else function(*arguments)
        if isinstance(came, dict):
            return function(*arguments) if jit else came
        if getattr(came, "shape", None) != () or not jax.numpy.issubdtype(came.dtype, jax.numpy.floating):
            raise returned(came, known, "a loss of shape () or a dict of gradients")
        return {key: no_finer(gradient, came.dtype) for key, gradient in jax.grad(function)(*arguments).items()}

    def no_finer(gradient: Any, dtype: Any) -> Any:
        """The gradient in the format of its loss where that is coarser: it can be no better, and is judged so."""
        finfo = jax.numpy.finfo
        return gradient.astype(dtype) if finfo(dtype).eps > finfo(gradient.dtype).eps else gradient

    compiled = jax.jit(gradients) if jit else gradients

    def array(value: Any) -> Any:
        return jax.device_put(floats(value, "JAX array").copy())  # jnp.array would compile a copy for each shape

    def computed(problem: Problem) -> dict[str, Any]:
        with home.enable_x64(problem.inputs.dtype == np.float64 if x64 is None else x64):
            arguments = [array(problem.inputs), array(problem.targets), map_state(array, problem.initial_state)]
            if weighted:
                arguments.append(array(problem.loss_weights))
            parameters = {key: array(value) for key, value in problem.parameters.items()}
            came = compiled(parameters, *arguments)
            return {key: _own(value, known, key, jax) for key, value in came.items()}

    return declared(computed, function, name, module, claims, networks, weighted)


def _own(value: Any, name: str, key: str, jax: Any) -> Any:
    """A JAX array as a NumPy array of its own; anything else as it is, to be judged."""
    if not isinstance(value, jax.Array):
        return value
    refuse_half(value.dtype.name, name, key)
    return np.array(value)
