"""One step of a network with the products that a carried estimate of the influence matrix needs.

With s(t) the state, (N,), Theta the P parameters that lead to it, J(t) = ds(t)/ds(t-1) and B(t) the immediate
influence, ds(t)/dTheta at fixed s(t-1), so that the influence matrix is M(t) = J(t) M(t-1) + B(t):
    carry(v) = J v,  back(nu) = nu^T B,  applied(w) = B w,  d = dL_t/ds(t)
Of the fully recurrent network the state is the activations a, or the pre-activations, and Theta = [W; R] stacked. With
u(t) = [x(t); a(t-1)] and s(t) = Theta^T u(t):
    on a:  J = diag f'(s(t)) R^T,  B[n, (m, j)] = [n = j] f'(s_n) u_m(t),  d = V e
    on s:  J = R^T diag f'(s(t-1)),  B[n, (m, j)] = [n = j] u_m(t),  d = f'(s) * (V e),  with f'(s(0)) = 0
On any other cell the state is its own, flat, Theta is all parameters, and J and B are derived from its equations; N
steps back give the rows of both.

Source: Williams & Zipser 1989, as in `rtrl`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.networks import start
from gradcheck.reference.networks.elman import is_fully_recurrent
from gradcheck.reference.tape import vjp
from gradcheck.reference.tree import leaves
from gradcheck.reference.typing import Array, Gradient, Parameters, State

from .cells import Step, Total, taken
from .on_cells import flat, units
from .scaling import filled


class Units(NamedTuple):
    """The fully recurrent network between two steps: its activations a (I,) and f'(s) (I,)."""

    network: Any
    parameters: Parameters
    a: Array
    slope: Array


class Cell(NamedTuple):
    """Any network between two steps: its state, nested as it is."""

    network: Any
    parameters: Parameters
    state: State


@dataclass(frozen=True)
class UnitStep:
    """A step of the fully recurrent network.

    Attributes:
        parameters: W, R and V.
        u: [x(t); a(t-1)], (D+I,).
        a: The activations after it, (I,).
        e: The error at the output, (K,), times the loss weight.
        before: f'(s(t-1)), (I,).
        slope: f'(s(t)), (I,).
        on_s: True if the state is s, False if it is a.
    """

    parameters: Parameters
    u: Array
    a: Array
    e: Array
    before: Array
    slope: Array
    on_s: bool

    @property
    def size(self) -> int:
        """The number N of entries of the state."""
        return int(self.a.size)

    @property
    def J(self) -> Array:
        """J, (N, N)."""
        R = self.parameters["R"]
        return R.T * self.before if self.on_s else self.slope[:, None] * R.T

    @property
    def d(self) -> Array:
        """dL_t/dstate, (N,)."""
        error = self.parameters["V"] @ self.e
        return self.slope * error if self.on_s else error

    def carry(self, v: Array) -> Array:
        """Return J v, (N,)."""
        R = self.parameters["R"]
        return R.T @ (self.before * v) if self.on_s else self.slope * (R.T @ v)  # type: ignore[no-any-return]

    def gained(self, v: Array) -> Array:
        """Return (ds_i/ds_i) v_i or (da_i/ds_i) v_i of each unit i, (N,)."""
        return v if self.on_s else self.slope * v

    def diagonal(self) -> Array:
        """Return the matrix G, (N, N), with which the immediate influence is B[n, (m, j)] = G[n, j] u_m."""
        G = np.zeros_like(self.a, shape=(self.size, self.size))
        unit = np.arange(self.size)
        G[unit, unit] = self.gained(G[unit, unit] + 1)
        return G

    def back(self, nu: Array) -> Array:
        """Return nu^T B, (P,)."""
        return np.outer(self.u, self.gained(nu)).reshape(-1)

    def applied(self, w: Array) -> Array:
        """Return B w, (N,)."""
        return self.gained(self.u @ w.reshape(self.u.size, self.size))

    def rows(self) -> list[Array]:
        """Return the entries of each row of B that are not 0 by structure: N arrays (D+I,)."""
        return [self.u if self.on_s else self.u * slope for slope in self.slope]

    def readout(self) -> Array:
        """Return the readout's own share of dL_t/dV, (I, K)."""
        return np.outer(self.a, self.e)

    def contribution(self, dTheta: Array) -> Gradient:
        """Return dTheta, (P,), and the readout's share, by parameter."""
        D, dTheta = self.parameters["W"].shape[0], dTheta.reshape(self.u.size, self.size)
        return {"W": dTheta[:D], "R": dTheta[D:], "V": self.readout()}

    def along(self, direction: Parameters, ds: Array) -> Any:
        """Return the derivative of L_t where the parameters move in `direction` and the state by ds, (N,)."""
        return self.d @ ds + np.sum(self.readout() * direction["V"])


class CellStep:
    """A step of any cell, by the rows of J and B; attributes and methods are those of `UnitStep`."""

    def __init__(self, step: Step, parameters: Parameters) -> None:
        rows = [step.step(unit) for unit in units(step.state)]
        self.parameters, self.size = parameters, len(rows)
        self.J, self.B = np.stack([flat(J) for _, J in rows]), np.stack([flat(own) for own, _ in rows])
        total = Total(parameters)
        self.d, self._readout = flat(step.enter(total)), total.gradient()

    def carry(self, v: Array) -> Array:
        return self.J @ v

    def back(self, nu: Array) -> Array:
        return nu @ self.B  # type: ignore[no-any-return]

    def applied(self, w: Array) -> Array:
        return self.B @ w

    def rows(self) -> list[Array]:
        return list(self.B)

    def contribution(self, dTheta: Array) -> Gradient:
        made, at = {}, 0
        for name, array in self.parameters.items():
            made[name] = self._readout[name] + dTheta[at : at + array.size].reshape(array.shape)
            at += array.size
        return made

    def along(self, direction: Parameters, ds: Array) -> Any:
        shares = [np.sum(self._readout[name] * direction[name]) for name in self.parameters]
        return sum(shares, self.d @ ds)


def begun(network: Any, parameters: Parameters, initial_state: State) -> Units | Cell:
    """Return the network before step 1."""
    if not is_fully_recurrent(network):
        return Cell(network, parameters, initial_state)
    # f'(s(0)) does not exist, a(0) being given; as 0 it says that a(0) depends on no weight.
    return Units(network, parameters, initial_state, np.zeros_like(initial_state))


def begun_on_units(rule: str, network: Any, parameters: Parameters, initial_state: Array) -> Units:
    """Return the fully recurrent network before step 1. Raises `GradcheckError` for another network."""
    before = begun(network, parameters, initial_state)
    if not isinstance(before, Units):
        raise GradcheckError(
            f"{rule} needs the fully recurrent network, whose immediate influence is u(t) times the identity; got "
            f"{network.name}; try UORO or NoBackTrack, which run on any cell"
        )
    return before


def advanced(
    before: Units | Cell, x: Array, y: Array, weight: Any, *, on_s: bool = False
) -> tuple[Any, UnitStep | CellStep]:
    """Return the network after a step with the input x, (D,), and the step itself.

    Args:
        before: The network before it.
        x: The input, (D,).
        y: The target, (K,).
        weight: The weight of the loss.
        on_s: True to take the pre-activations for the state of the fully recurrent network, not the activations.
    """
    if isinstance(before, Cell):
        step = taken(before.network, before.parameters, before.state, x, y, weight)
        return before._replace(state=step.state), CellStep(step, before.parameters)
    return advanced_units(before, x, y, weight, on_s=on_s)


def advanced_units(before: Units, x: Array, y: Array, weight: Any, *, on_s: bool = False) -> tuple[Units, UnitStep]:
    """Return what `advanced` does, of the fully recurrent network."""
    net, parameters, a, old = before
    W, R, V = (parameters[name] for name in "WRV")
    u = np.concatenate([x, a])
    s = W.T @ x + R.T @ a
    a, slope = net.activation(s), net.activation.derivative(s)
    e = weight * net.output_error(V.T @ a, y)
    return Units(net, parameters, a, slope), UnitStep(parameters, u, a, e, old, slope, on_s)


def extent(before: Units | Cell) -> tuple[int, int]:
    """Return N and P."""
    if isinstance(before, Cell):
        N, P = (sum(array.size for array in leaves(nest)) for nest in (before.state, before.parameters))
        return N, P
    W, R = before.parameters["W"], before.parameters["R"]
    return int(before.a.size), int(W.size + R.size)


def first_traces(before: Units | Cell, trace: Any, draw: Callable[[int], Array]) -> tuple[Array, Array]:
    """Return the vectors (N,) and (P,) whose product stands for the influence matrix before step 1.

    Args:
        before: The network.
        trace: Their entries.
        draw: Draws noise (N,), by which a start that the parameters make is reduced to a product.
    """
    N, P = extent(before)
    s, theta = filled(like(before), (N,), trace), filled(like(before), (P,), trace)
    influence = influence_of_start(before)
    if influence is not None:
        nu = draw(N)
        s, theta = s + nu, theta + nu @ influence
    return s, theta


def first_tangent(before: Units | Cell, direction: Parameters) -> Array:
    """Return the derivative of the state before step 1 along a direction of the parameters, (N,)."""
    influence = influence_of_start(before)
    if influence is not None:
        return influence @ flat_direction(before, direction)
    return filled(like(before), (extent(before)[0],), 0)


def counted(now: UnitStep | CellStep, late: tuple[Array, Array], traces: tuple[Array, Array], exact: bool) -> Array:
    """Return the estimate of d^T M, (P,).

    Args:
        now: The step.
        late: J s(t-1) and theta(t-1).
        traces: s(t) and theta(t).
        exact: True to count the immediate influence as it is, and `late` for the rest; False to count `traces`.
    """
    if exact:
        return (now.d @ late[0]) * late[1] + now.back(now.d)
    return (now.d @ traces[0]) * traces[1]


def influence_of_start(before: Units | Cell) -> Array | None:
    """Return ds(0)/dTheta, (N, P), where the parameters make the initial state, else None."""
    if isinstance(before, Units) or not start.is_learned(before.network):
        return None
    state, first = vjp(lambda p: start.learned(before.network, p), before.parameters)
    return np.stack([flat(first(unit)[0]) for unit in units(state)])


def flat_direction(before: Units | Cell, direction: Parameters) -> Array:
    """Return the part of a direction of all parameters that is Theta's, (P,)."""
    names = "WR" if isinstance(before, Units) else before.parameters
    return np.concatenate([direction[name].reshape(-1) for name in names])


def like(before: Units | Cell) -> Array:
    """Return an array of the state's number system."""
    return before.a if isinstance(before, Units) else leaves(before.state)[0]
