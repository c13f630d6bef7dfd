"""Diagonal RTRL: one trace per weight, where each unit is a complex number that meets its own past alone.

In layer l with the input y(t), unit j has z_j = re_j + i im_j, and its weights meet no other unit of the layer:
    s(t) = lambda z(t-1) + gamma (B^T y(t)),  z(t) = f(s(t)), f on re and im
    traces, complex, with f' the slopes of re and im, by entry on each part:
    E_lambda(t) = f'(lambda E_lambda(t-1) + z(t-1)),    E_gamma(t) = f'(lambda E_gamma(t-1) + B^T y(t))
    E_B(t)_mj = f'(lambda_j E_B(t-1)_mj + gamma_j y_m(t))   for B_re; times i for B_im under f = identity
    c(t) = dL_t/dre(t) + i dL_t/dim(t), the error of loss t on z(t), through the layers above at the same step
    gradient of a real weight: the sum over t of Re(conj(c(t)) dz(t)/dweight)
and with the chain of lambda = exp(-exp(nu) + i exp(theta)) = r exp(i phi):
    dlambda/dnu = -exp(nu) lambda,  dlambda/dtheta = i exp(theta) lambda,  dgamma/dlog_gamma = gamma of the LRU;
    gamma = sqrt(1 - r^2) and dgamma/dnu = exp(nu) r^2 / gamma of the RTU.
Where f is no identity, multiplying by i and f' do not commute: im has traces of its own. So each trace is a pair of
pairs here, the derivatives of re and im in the real part of what the weight adds, and in its imaginary part.

Source: Zucchet, Meier, Schug, Mujika and Sacramento 2023, "Online learning of long-range dependencies", for LRUs, one
layer and more; Elelimy, White, Bowling and White 2024, "Real-time recurrent learning using trace units in reinforcement
learning", for RTUs; Irie, Gopalakrishnan and Schmidhuber 2024, "Exploring the promise and limits of real-time recurrent
learning", for elementwise LSTMs and what is lost in two layers. With Wirtinger's calculus an error is conj(c) / 2 and
no 1/2 is left in the gradient.
Cost: O(1) per weight and step. Storage: O(P), whatever T is.
True of it: the gradient for one recurrent layer, since dz(t)/dz(t-1) is diagonal. Over two layers it is that of the upper
one alone: the lower one's past reaches later losses through the upper one's memory, which is left out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.claims import Cost, Equals, Exact, Online, rule
from gradcheck.reference.definitions import diagonal as definition
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.functions import apply
from gradcheck.reference.lags import output_error
from gradcheck.reference.network import LRU, RTU, Stacked
from gradcheck.reference.typing import Array, Gradient, Parameters

ONE_LAYER = (LRU(), LRU(eigenvalues="cartesian"), RTU(), RTU("identity"))
TWO_LAYERS = (Stacked(LRU(eigenvalues="cartesian"), LRU(eigenvalues="cartesian")), Stacked(LRU(), LRU()))
Pair = tuple[Any, Any]
"""Real and imaginary part."""


class Turning(NamedTuple):
    """What a layer's weights say: lambda as a pair, gamma, and their derivatives by the name of a weight."""

    eigenvalue: Pair
    gamma: Any
    of_eigenvalue: dict[str, Pair]
    of_gamma: dict[str, Any]


def turning(layer: Any, weights: Parameters) -> Turning:
    """Return eigenvalues and input scales of a layer."""
    if isinstance(layer, LRU) and layer.eigenvalues == "cartesian":
        one = np.ones_like(weights["lambda_re"])
        derivatives = {"lambda_re": (one, 0 * one), "lambda_im": (0 * one, one)}
        return Turning((weights["lambda_re"], weights["lambda_im"]), one, derivatives, {})
    shrinking, angle = apply("exp", weights["nu"]), apply("exp", weights["theta"])
    size = apply("exp", -shrinking)
    re, im = size * apply("cos", angle), size * apply("sin", angle)
    derivatives = {"nu": (-shrinking * re, -shrinking * im), "theta": (-angle * im, angle * re)}
    if isinstance(layer, LRU):
        gamma = apply("exp", weights["log_gamma"])
        return Turning((re, im), gamma, derivatives, {"log_gamma": gamma})
    gamma = apply("sqrt", 1 - size * size)
    return Turning((re, im), gamma, derivatives, {"nu": shrinking * size * size / gamma})


class Layer(NamedTuple):
    """Traces of one layer: re and im (I,), and dre, dim by weight, of the weight's shape."""

    z: Pair
    traces: dict[str, Pair]


class Traces(NamedTuple):
    """State of the rule: the network, its parameters, and each layer's traces."""

    network: Any
    parameters: Parameters
    layers: tuple[Layer, ...]


def _adds(network: Any) -> bool:
    return network.readout_bias or getattr(network, "residual", False)  # type: ignore[no-any-return]


def _layers(network: Any) -> tuple[Any, ...]:
    return network.layers if isinstance(network, Stacked) else (network,)


def _weights(network: Any, parameters: Parameters, number: int) -> Parameters:
    """Return a layer's own weights by the names that it has for them."""
    if not isinstance(network, Stacked):
        return parameters
    prefix = f"layer{number}."
    return {name.removeprefix(prefix): array for name, array in parameters.items() if name.startswith(prefix)}


def _times(a: Pair, b: Pair) -> Pair:
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


@rule(
    Exact(),
    Online(),
    Cost(time="T*I*(D + K)", storage="I*(D + K)"),
    networks=ONE_LAYER,
    weighted=True,
)
class DiagonalRTRL:
    """Diagonal RTRL: one trace per weight of units that meet their own past alone.

    Online, on LRUs, RTUs and stacks of them: `start`, then `step` for each (x, y, weight).

    Raises:
        GradcheckError: The network is another, or has a readout bias or residual layers.
    """

    def start(self, network: Any, parameters: Parameters, initial_state: Any) -> Traces:
        if not all(isinstance(layer, (LRU, RTU)) for layer in _layers(network)) or _adds(network):
            raise GradcheckError(
                f"diagonal RTRL is written for LRU, RTU and Stacked layers of them, without readout bias or residual "
                f"layers; got the network {network.name}, {network}"
            )
        states = initial_state if isinstance(network, Stacked) else (initial_state,)
        layers = []
        for number, (layer, z) in enumerate(zip(_layers(network), states, strict=True)):
            own = _weights(network, parameters, number)
            names = layer.weights(1, 1)
            layers.append(Layer(z, {name: (np.zeros_like(own[name]), np.zeros_like(own[name])) for name in names}))
        return Traces(network, parameters, tuple(layers))

    def step(self, state: Traces, x: Array, y: Array, weight: Any) -> tuple[Traces, Gradient]:
        net, parameters, before = state
        layers, back, seen = [], [], x
        for number, (layer, own) in enumerate(zip(_layers(net), before, strict=True)):
            made, to_input = _advanced(layer, _weights(net, parameters, number), own, seen)
            layers.append(made)
            back.append(to_input)
            seen = np.concatenate(made.z)
        contribution, c = _readout(net, parameters, layers[-1].z, y, weight)
        for number in reversed(range(len(layers))):
            prefix = f"layer{number}." if isinstance(net, Stacked) else ""
            for name, (re, im) in layers[number].traces.items():
                contribution[prefix + name] = c[0] * re + c[1] * im
            if number:
                c = _halved(back[number](c))
        after = Traces(net, parameters, tuple(layers))
        return after, {name: contribution[name] for name in parameters}


def _advanced(layer: Any, weights: Parameters, own: Layer, seen: Array) -> tuple[Layer, Any]:
    """Return a layer after a step with the input `seen`, and the map from an error on z to one on that input."""
    turned = turning(layer, weights)
    B_re, B_im = weights["B_re"], weights["B_im"]
    given = B_re.T @ seen, B_im.T @ seen
    turn = _times(turned.eigenvalue, own.z)
    s = turn[0] + turned.gamma * given[0], turn[1] + turned.gamma * given[1]
    f = layer.activation.derivative
    slope = f(s[0]), f(s[1])

    added: dict[str, Pair] = {}
    wide = np.outer(seen, turned.gamma)
    added["B_re"], added["B_im"] = (wide, 0 * wide), (0 * wide, wide)
    for name, derivative in turned.of_eigenvalue.items():
        added[name] = _times(derivative, own.z)
    for name, scale in turned.of_gamma.items():
        re, im = added.get(name, (0, 0))
        added[name] = re + scale * given[0], im + scale * given[1]

    traces = {}
    for name, trace in own.traces.items():
        carried = _times(turned.eigenvalue, trace)
        traces[name] = tuple(f * (a + b) for f, a, b in zip(slope, carried, added[name], strict=True))

    def to_input(c: Pair) -> Array:
        scaled = [turned.gamma * f * part for f, part in zip(slope, c, strict=True)]
        return B_re @ scaled[0] + B_im @ scaled[1]

    return Layer((layer.activation(s[0]), layer.activation(s[1])), traces), to_input


def _halved(error: Array) -> Pair:
    """Return an error on [re; im], which the layer above read, as a pair."""
    n = len(error) // 2
    return error[:n], error[n:]


def _readout(net: Any, parameters: Parameters, z: Pair, y: Array, weight: Any) -> tuple[Gradient, Pair]:
    """Return the contribution of the readout's weights, and the error on the last layer's z."""
    re, im = z
    if isinstance(net, LRU):
        V_re, V_im = parameters["V_re"], parameters["V_im"]
        e = weight * output_error(net, V_re.T @ re - V_im.T @ im, y)
        return {"V_re": np.outer(re, e), "V_im": -np.outer(im, e)}, (V_re @ e, -(V_im @ e))
    shown = np.concatenate(z)
    e = weight * output_error(net, parameters["V"].T @ shown, y)
    return {"V": np.outer(shown, e)}, _halved(parameters["V"] @ e)


@rule(Equals(definition, differs=True), Online(), networks=TWO_LAYERS, weighted=True)
class LayeredDiagonalRTRL(DiagonalRTRL):
    """Diagonal RTRL within each of several layers: what the lower ones do to the upper one's memory is left out."""
