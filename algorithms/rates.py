"""Units that keep a share of their state, one step at a time: what the local rules begin with.

    s(t) = W^T x(t) + R^T h(t-1) [+ b],  u(t) = [x(t); h(t-1) [; 1]]
    h(t) = (1 - alpha) h(t-1) + alpha f(s(t))                         rates, the fully recurrent network with alpha = 1
    v(t) = (1 - alpha) v(t-1) + alpha s(t),  h(t) = f(v(t))           potentials; s(t) and u(t) have h(t-1) = f(v(t-1))
    e(t) = w_t dL_t/du(t)                                             the error at the output

A trace has the shape of [W; R; b] stacked, (D+I+1, I) with a bias: row m is what weight m of u has, column j is unit j.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.reference import lags
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import Leaky, Network
from gradcheck.reference.typing import Array, Gradient, Parameters

_LEAK = 0.25
RATES = (
    Network(),
    Leaky(leak=_LEAK),
    Leaky("softplus", leak=_LEAK, biases=0, recurrence="ring"),
)
"""Networks of rates for which the local rules are written: without a leak, with one, and sparse."""
POTENTIALS = (Leaky(leak=_LEAK, state="potential"),)


@dataclass(frozen=True)
class Moment:
    """One step.

    Attributes:
        state: h or v after it, (I,).
        h: What the units show, (I,).
        u: What the weights multiplied, (D+I,) or (D+I+1,).
        slope: f'(s) of rates, f'(v) of potentials, (I,).
        e: The error at the output, (K,).
    """

    state: Array
    h: Array
    u: Array
    slope: Array
    e: Array


@dataclass(frozen=True)
class Units:
    """A network of rates or potentials with its parameters, ready to step.

    Raises:
        GradcheckError: The network is another, or learns its leak.
    """

    network: Any
    parameters: Parameters

    def __post_init__(self) -> None:
        net = self.network
        if isinstance(net, Network) and type(net).step is Network.step:
            return
        if not isinstance(net, Leaky) or net.leak is None or net.biases > 1 or net.readout_bias:
            raise GradcheckError(
                f"the rule is one of leaky units with a fixed leak, one bias at most and none on the readout; got the "
                f"network {net.name}, {net}; use Network(...) or Leaky(leak=0.25)"
            )

    @property
    def leak(self) -> Any:
        """alpha, the share of a step that is new."""
        return self.network.leak if isinstance(self.network, Leaky) else 1

    @property
    def potential(self) -> bool:
        return isinstance(self.network, Leaky) and self.network.state == "potential"

    @property
    def bias(self) -> bool:
        return "b" in self.parameters

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of a trace."""
        D, n = self.parameters["W"].shape
        return D + n + self.bias, n

    def zeros(self, like: Array) -> Array:
        """Return a trace of zeros."""
        return np.zeros_like(like, shape=self.shape)

    def after(self, state: Array, x: Array, y: Array, weight: Any) -> Moment:
        """Return the step from `state` with the input x, (D,), and the loss against y, (K,), times `weight`."""
        net, parameters, alpha = self.network, self.parameters, self.leak
        before = net.activation(state) if self.potential else state
        u = np.concatenate([x, before, *([np.ones_like(before[:1])] if self.bias else [])])
        s = parameters["W"].T @ x + parameters["R"].T @ before
        s = s + parameters["b"] if self.bias else s
        if self.potential:
            state = (1 - alpha) * state + alpha * s
            h, slope = net.activation(state), net.activation.derivative(state)
        else:
            new, slope = net.activation(s), net.activation.derivative(s)
            state = h = (1 - alpha) * state + alpha * new if isinstance(net, Leaky) else new
        return Moment(state, h, u, slope, weight * lags.output_error(net, parameters["V"].T @ h, y))

    def within(self, now: Moment) -> tuple[Array, Array]:
        """Return the derivatives of a unit's state in s(t), and of what it shows in its state, both (I,)."""
        one = np.ones_like(now.slope)
        return (self.leak * one, now.slope) if self.potential else (self.leak * now.slope, one)

    def contribution(self, trace: Array, now: Moment) -> Gradient:
        """Return a contribution of [W; R; b] stacked, with that of V, by the names of parameters."""
        D, n = self.parameters["W"].shape
        made = {"W": trace[:D], "R": trace[D : D + n], "V": np.outer(now.h, now.e)}
        if self.bias:
            made["b"] = trace[D + n]
        return {name: made[name] for name in self.parameters}
