"""Every shipped cell as JAX code writes it: a `jax.lax.scan` over its step, differentiated by `jax.grad`.

The equations and the names of parameters are those of the networks' docstrings; they are written here once more, since
JAX does not run NumPy's functions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...reference.networks.context import ContextNetwork
from ...reference.networks.gated import GRU, MGU
from ...reference.networks.leaky import ContinuousTime, Leaky
from ...reference.networks.linear import LRU, RTU
from ...reference.networks.lstm import LSTM
from ...reference.networks.simple import IRNN, Elman, Jordan
from ...reference.networks.stacked import Stacked
from ...rules import jax as adapter
from ...rules.frameworks import required

jax = required("jax")
jnp = required("jax.numpy")
_logistic = jax.nn.sigmoid

Step = Callable[[dict[str, Any], Any, Any], tuple[Any, Any]]
"""(parameters, state, x) to (state, what the readout sees)."""


def _linear(p: Any, shown: Any) -> Any:
    return shown @ p["V"]


def loss(cell: Cell, parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> Any:
    """Return half the squared error of the outputs, over all steps of a scan."""

    def scanned(state: Any, x: Any) -> tuple[Any, Any]:
        state, shown = cell.step(parameters, state, x)
        return state, cell.readout(parameters, shown)

    return ((jax.lax.scan(scanned, initial_state, inputs)[1] - targets) ** 2).sum() / 2


def _affine(p: Any, gate: str, x: Any, h: Any) -> Any:
    return x @ p[f"W{gate}"] + h @ p[f"R{gate}"] + p[f"b{gate}"]


def _elman_step(p: Any, h: Any, x: Any) -> Any:
    h = jnp.tanh(_affine(p, "", x, h))
    return h, h


def _irnn_step(p: Any, h: Any, x: Any) -> Any:
    h = jax.nn.relu(_affine(p, "", x, h))
    return h, h


def _jordan_step(p: Any, u: Any, x: Any) -> Any:
    h = jnp.tanh(_affine(p, "", x, u))
    return h @ p["V"], h


def _context_step(p: Any, c: Any, x: Any) -> Any:
    c = p["w"] * c + jnp.tanh(x @ p["W"])
    return c, c


def _leaky_step(p: Any, h: Any, x: Any) -> Any:
    h = (1 - p["alpha"]) * h + p["alpha"] * jnp.tanh(_affine(p, "", x, h))
    return h, h


def _continuous_step(p: Any, s: Any, x: Any) -> Any:
    rate = 0.125 / p["tau"]
    s = (1 - rate) * s + rate * _affine(p, "", x, jnp.tanh(s))
    return s, jnp.tanh(s)


def _gru_step(p: Any, h: Any, x: Any) -> Any:
    r, z = (_logistic(_affine(p, gate, x, h)) for gate in ("_r", "_z"))
    h = z * h + (1 - z) * jnp.tanh(_affine(p, "_n", x, r * h))
    return h, h


def _mgu_step(p: Any, h: Any, x: Any) -> Any:
    q = _logistic(_affine(p, "_f", x, h))
    h = (1 - q) * h + q * jnp.tanh(_affine(p, "_n", x, q * h))
    return h, h


def _lstm_step(p: Any, state: Any, x: Any) -> Any:
    h, c = state
    i, f, o = (_logistic(_affine(p, gate, x, h)) for gate in ("_i", "_f", "_o"))
    c = f * c + i * jnp.tanh(_affine(p, "_z", x, h))
    h = o * jnp.tanh(c)
    return (h, c), h


def _turned(size: Any, angle: Any, state: Any, given: Any) -> tuple[Any, Any]:
    """Return lambda * h + given, for lambda = size exp(i angle), as real and imaginary parts."""
    (re, im), (a, b) = state, (size * jnp.cos(angle), size * jnp.sin(angle))
    return a * re - b * im + given[0], b * re + a * im + given[1]


def _lru_step(p: Any, state: Any, x: Any) -> Any:
    gamma = jnp.exp(p["log_gamma"])
    given = gamma * (x @ p["B_re"]), gamma * (x @ p["B_im"])
    state = _turned(jnp.exp(-jnp.exp(p["nu"])), jnp.exp(p["theta"]), state, given)
    return state, state


def _rtu_step(p: Any, state: Any, x: Any) -> Any:
    size = jnp.exp(-jnp.exp(p["nu"]))
    gamma = jnp.sqrt(1 - size**2)
    given = gamma * (x @ p["B_re"]), gamma * (x @ p["B_im"])
    state = tuple(map(jnp.tanh, _turned(size, jnp.exp(p["theta"]), state, given)))
    return state, jnp.concatenate(state)


def _stacked_step(p: Any, state: Any, x: Any) -> Any:
    layers = []
    for number, step in enumerate((_lstm_step, _gru_step)):
        own = {key.removeprefix(f"layer{number}."): value for key, value in p.items()}
        after, x = step(own, state[number], x)
        layers.append(after)
    return tuple(layers), x


def _of_complex(p: Any, shown: Any) -> Any:
    re, im = shown
    return re @ p["V_re"] - im @ p["V_im"]


@dataclass(frozen=True)
class Cell:
    """A cell in JAX.

    Attributes:
        step: Its step.
        network: The shipped network that has its equations.
        readout: Takes the parameters and what the readout sees to u, (K,).
    """

    step: Step
    network: Any
    readout: Callable[..., Any] = _linear


def scan(name: str, cell: Cell) -> Any:
    """Return the rule that differentiates the scan of a cell, judged on its network."""
    made = adapter.rule(functools.partial(loss, cell), networks=[cell.network], name=name)
    made.__doc__ = f"jax.grad of a jax.lax.scan over the step of {name}."
    return made


CELLS = {
    "elman": Cell(_elman_step, Elman()),
    "irnn": Cell(_irnn_step, IRNN()),
    "jordan": Cell(_jordan_step, Jordan()),
    "context": Cell(_context_step, ContextNetwork()),
    "leaky": Cell(_leaky_step, Leaky()),
    "continuous": Cell(_continuous_step, ContinuousTime()),
    "gru": Cell(_gru_step, GRU()),
    "mgu": Cell(_mgu_step, MGU()),
    "lstm": Cell(_lstm_step, LSTM()),
    "lru": Cell(_lru_step, LRU(), _of_complex),
    "rtu": Cell(_rtu_step, RTU()),
    "stacked": Cell(_stacked_step, Stacked(LSTM(), GRU())),
}
RULES = tuple(CELLS)
globals().update({name: scan(name, cell) for name, cell in CELLS.items()})
