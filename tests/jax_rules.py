"""Rules in JAX: the tanh network by a loss, by gradients, by custom_vjp; and wrong ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def outputs(step: Any, p: Any, inputs: Any, a: Any) -> Any:
    def scanned(a: Any, x: Any) -> Any:
        a = step(x @ p["W"] + a @ p["R"])
        return a, a @ p["V"]

    return jax.lax.scan(scanned, a, inputs)[1]


def loss(parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> Any:
    """Half the squared error, by a scan."""
    return ((outputs(jnp.tanh, parameters, inputs, initial_state) - targets) ** 2).sum() / 2


def layer(parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> Any:
    """torch's layer with its readout, by a scan."""
    p = parameters

    def step(a: Any, x: Any) -> Any:
        a = jnp.tanh(p["weight_ih_l0"] @ x + p["bias_ih_l0"] + p["weight_hh_l0"] @ a + p["bias_hh_l0"])
        return a, p["readout.weight"] @ a + p["readout.bias"]

    return ((jax.lax.scan(step, initial_state, inputs)[1] - targets) ** 2).sum() / 2


def unrolled(parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> Any:
    a, total = initial_state, 0.0
    for x, y in zip(inputs, targets, strict=True):
        a = jnp.tanh(x @ parameters["W"] + a @ parameters["R"])
        total += ((a @ parameters["V"] - y) ** 2).sum() / 2
    return total


def weighted_loss(parameters: Any, inputs: Any, targets: Any, initial_state: Any, loss_weights: Any) -> Any:
    return (loss_weights @ (outputs(jnp.tanh, parameters, inputs, initial_state) - targets) ** 2).sum() / 2


def weights_forgotten(parameters: Any, inputs: Any, targets: Any, initial_state: Any, loss_weights: Any) -> Any:
    return loss(parameters, inputs, targets, initial_state)


def gradients(parameters: Any, *arguments: Any) -> Any:
    return jax.grad(loss)(parameters, *arguments)


def scaled(parameters: Any, *arguments: Any) -> Any:
    return {key: g * (1 + 1e-9) for key, g in gradients(parameters, *arguments).items()}


def custom(slope: Any) -> Any:
    """The loss with a tanh whose derivative is `slope`, a function of s and tanh(s)."""

    @jax.custom_vjp
    def tanh(s: Any) -> Any:
        return jnp.tanh(s)

    tanh.defvjp(lambda s: (jnp.tanh(s), (s, jnp.tanh(s))), lambda kept, g: (g * slope(*kept),))

    def custom_loss(parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> Any:
        return ((outputs(tanh, parameters, inputs, initial_state) - targets) ** 2).sum() / 2

    return custom_loss


custom_right = custom(lambda s, a: 1 - a**2)
custom_wrong = custom(lambda s, a: 1 - s**2)


def in_float32(parameters: Any, *arguments: Any) -> Any:
    """A loss that is computed in float32 whatever comes."""
    return loss({key: p.astype("float32") for key, p in parameters.items()}, *(a.astype("float32") for a in arguments))


def in_bfloat16(parameters: Any, *arguments: Any) -> Any:
    return loss(parameters, *arguments).astype("bfloat16")


def without_readout(parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> Any:
    return outputs(jnp.tanh, {**parameters, "V": jnp.ones((len(parameters["R"]), 1))}, inputs, initial_state).sum()


def rectified(relu: Any) -> Any:
    """The loss with that function for relu."""

    def rectified_loss(parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> Any:
        return ((outputs(relu, parameters, inputs, initial_state) - targets) ** 2).sum() / 2

    return rectified_loss


class Kept:
    """Gradients added up from call to call."""

    def __init__(self) -> None:
        self.sums: dict[Any, Any] = {}

    def __call__(self, parameters: Any, *arguments: Any) -> Any:
        for key, g in gradients(parameters, *arguments).items():
            self.sums[key, g.shape] = self.sums.get((key, g.shape), 0) + g
        return {key: self.sums[key, p.shape] for key, p in parameters.items()}
