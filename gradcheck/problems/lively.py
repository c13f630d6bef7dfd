"""Problems for each kind of evidence, from a seed: the same seed gives the same problem on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reference.errors import GradcheckError
from ..reference.networks.base import Capabilities, RecurrentNetwork, Sizes, TargetDomain, ask, step
from ..reference.networks.state import cached
from ..reference.problem import Problem, map_shape, map_state
from ..reference.scalars.base import Field
from ..reference.tree import leaves
from ..reference.typing import Array

_GRID = 2.0**-12


def _dyadic(values: Array) -> Array:
    """Rounded to multiples of 2^-12, none of them zero: float32 and float64 carry it exactly."""
    rounded = np.round(values / _GRID) * _GRID
    return np.where(rounded == 0, _GRID, rounded)


def targets_for(network: RecurrentNetwork, T: int, K: int, rng: np.random.Generator) -> Array:
    """Float targets (T, K) that the network's loss is defined on."""
    domain = ask(network, Capabilities.target_domain)
    if domain is TargetDomain.UNIT:
        return _dyadic(rng.uniform(0.05, 0.95, (T, K)))
    if domain is TargetDomain.SHARES:
        shares = np.floor(rng.dirichlet(np.ones(K), T) / _GRID) * _GRID
        shares[:, 0] += 1 - shares.sum(axis=1)
        return shares
    return _dyadic(rng.normal(size=(T, K)))


def lively_problem(
    network: RecurrentNetwork,
    sizes: Sizes,
    seed: int,
    *,
    weighted: bool = False,
    zero_state: bool = False,
    one_hot: bool = False,
) -> Problem:
    """A float problem on which long lags stay visible.

    A square matrix that multiplies the state, such as R, is nearly a signed cyclic permutation: it keeps lengths, and
    so does |R|, with which rounding errors grow; vectors that do lie near 0.9. Inputs, states and other vectors
    (biases) are small, so activations stay in their sloped range; for relu all but V is positive, so that every unit
    is active. Where f'(0) is not 1, R is divided by it, and the first input, near 1, keeps the units near s = 0, so
    that f'(s) R keeps lengths. Entries are multiples of 2^-12, none is zero, nothing is symmetric. `one_hot`, for
    D = T: the inputs are the unit vectors, one after the other.
    """
    rng = np.random.default_rng([seed, sizes.T, sizes.I, sizes.D, sizes.K])
    parameters, shapes = {}, network.parameter_shapes(sizes)
    for name, shape in shapes.items():
        carries = _multiplies(network, sizes, name, "state")
        if len(shape) == 2 and shape[0] == shape[1] == sizes.I and sizes.I > 1 and carries:
            matrix = _far_seeing(sizes.I, rng)
        elif len(shape) == 2:
            matrix = rng.normal(size=shape) / np.sqrt(shape[0])
        else:
            size = rng.uniform(0.8, 0.97, shape) if carries else rng.uniform(0.02, 0.1, shape)
            matrix = size * rng.choice([-1, 1], shape)
        parameters[name] = _dyadic(matrix)

    def start(shape: tuple[int, ...]) -> Array:
        return np.zeros(shape) if zero_state else _dyadic(rng.normal(size=shape) * 0.3)

    state = map_shape(start, network.state_shape(sizes))
    inputs = _dyadic(rng.normal(size=(sizes.T, sizes.D)) * 0.1)
    if one_hot:
        inputs = np.eye(sizes.T)
    if ask(network, Capabilities.has_kinks):
        parameters = {name: array if name == "V" else np.abs(array) for name, array in parameters.items()}
        state, inputs = map_state(np.abs, state), np.abs(inputs)
    rest = ask(network, Capabilities.resting_point)
    if rest and shapes.get("R") == (sizes.I, sizes.I) and shapes.get("W") == (sizes.D, sizes.I):
        s, a, slope = rest
        R = parameters["R"] = parameters["R"] / slope
        kept = _dyadic(s - R.sum(axis=0) * a)
        if one_hot:
            parameters["W"] = parameters["W"] + kept
        else:
            parameters["W"][0] = kept
            inputs[:, 0] = 1 + _dyadic(inputs[:, 0] / 4)
    weights = np.ones(sizes.T)
    if weighted:
        weights = _dyadic(rng.uniform(0.25, 1.5, sizes.T))
        weights[rng.random(sizes.T) < 0.3] = 0
        weights[-1] = 1.25
    return Problem(parameters, inputs, targets_for(network, sizes.T, sizes.K, rng), state, weights, network)


def living_sizes(network: RecurrentNetwork, sizes: Sizes) -> Sizes:
    """These sizes, but two outputs where one says nothing: the softmax of one number is 1, and its gradient 0."""
    return Sizes(sizes.T, sizes.I, sizes.D, max(sizes.K, ask(network, Capabilities.least_outputs)))


def telling_problems(network: RecurrentNetwork, seed: int, *, weighted: bool = False) -> dict[str, Problem]:
    """Small float problems by name, at values where code that looks at its numbers takes another path.

    Zeros (inputs, whole steps, targets, weights, the state; where all of a step's are, relu is at its kink), one-hot
    inputs, saturated units, and gradients far larger and far smaller than 1.
    """

    def lively(*sizes: int, zero_state: bool = False) -> Problem:
        return lively_problem(network, Sizes(*sizes), seed, weighted=weighted, zero_state=zero_state)

    found: dict[str, Problem] = {}

    base = lively(6, 4, 3, 2, zero_state=True)
    found["one-hot inputs and steps without input"] = base.replace(inputs=np.eye(4)[[3, 0, 2, 3, 1, 0]][:, :3])

    base = lively(5, 3, 4, 2)
    inputs, targets = base.inputs.copy(), base.targets.copy()
    inputs[[0, 1, 3, 4], [1, 0, 2, 2]] = 0
    if _free_targets(network):
        targets[2], targets[4, 0] = 0, 0
    found["inputs and targets with zeros"] = base.replace(inputs=inputs, targets=targets)

    base = lively(5, 5, 2, 2)
    found["weights with zeros"] = base.replace(
        parameters={name: _thinned(array) for name, array in base.parameters.items()}
    )
    base = lively(4, 3, 2, 2)
    found["a unit without weights"] = base.replace(
        parameters={n: a * [1.0, 0.0, 1.0] if a.shape[-1:] == (3,) else a for n, a in base.parameters.items()}
    )
    base = lively(4, 3, 2, 3, zero_state=True)
    found["no input at all"] = base.replace(inputs=np.zeros_like(base.inputs))

    base = lively(5, 4, 2, 2)
    steep = np.array([1.0, -64.0, 96.0, -192.0])
    parameters = {
        n: _by_unit(a, steep) if _multiplies(network, base.sizes, n, "input") else a for n, a in base.parameters.items()
    }
    rests = ask(network, Capabilities.resting_point) and network.parameter_shapes(base.sizes).get("W") == (2, 4)
    if rests:  # the first input's weights keep the other units there
        parameters["W"][0] = base.parameters["W"][0]
    found["saturated and inactive units"] = base.replace(parameters=parameters)
    if weighted:
        for where, step in (("last", 4), ("first", 0)):
            base = lively(5, 3, 2, 2)
            found[f"a loss at the {where} step only"] = base.replace(loss_weights=np.eye(5)[step] * 1.25)
    # s stays as it was, but dW grows with the inputs, and all of it with the targets.
    base = lively(5, 3, 2, 2)
    found["a large gradient"] = base.replace(
        parameters={
            n: a * 2.0**-8 if _multiplies(network, base.sizes, n, "input") else a for n, a in base.parameters.items()
        },
        inputs=base.inputs * 2.0**8,
        targets=base.targets * 2.0**8 if _free_targets(network) else base.targets,
    )
    base = lively(4, 3, 2, 2)
    found["a small gradient"] = base.replace(
        parameters={n: a * 2.0**-20 if n == "V" else a for n, a in base.parameters.items()},
        targets=base.targets * 2.0**-20 if _free_targets(network) else base.targets,
    )
    return found


def _free_targets(network: RecurrentNetwork) -> bool:
    return ask(network, Capabilities.target_domain) is TargetDomain.REAL


def _by_unit(array: Array, factors: Array) -> Array:
    """The array with each unit's entries, along the axis that has the units once or several times, times its factor."""
    scaled, units = array, len(factors)
    if not array.ndim:
        return array
    if array.shape[-1] % units == 0:
        scaled = array * np.tile(factors, array.shape[-1] // units)
    elif array.shape[0] % units == 0:
        scaled = (array.T * np.tile(factors, array.shape[0] // units)).T
    return scaled


def _thinned(array: Array) -> Array:
    """With every third entry 0, the first among them."""
    thinned = array.copy()
    thinned.reshape(-1)[::3] = 0
    return thinned


@cached(4096)
def _multiplies(network: RecurrentNetwork, sizes: Sizes, name: str, what: str) -> bool:
    """Whether the parameter acts on the state, or on the input: what it adds to a step depends on that.

    All else is 0. R and w act on the state, W on the input, a bias on neither, nor what is only read out.
    """

    def after(parameter: float, value: float) -> Array:
        values = {n: np.full(s, parameter if n == name else 0.0) for n, s in network.parameter_shapes(sizes).items()}
        start = map_shape(lambda s: np.full(s, value if what == "state" else 0.0), network.state_shape(sizes))
        reached = step(network, values, start, np.full(sizes.D, value if what == "input" else 0.0))
        return np.concatenate([np.asarray(part).reshape(-1) for part in leaves(reached)])

    try:
        with np.errstate(all="ignore"):
            mixed = after(0.5, 0.5) - after(0.5, 0.0) - after(0.0, 0.5) + after(0.0, 0.0)
    except GradcheckError:
        return what == "state"
    return not bool((np.abs(mixed) < 2.0**-30).all())


def _far_seeing(n: int, rng: np.random.Generator) -> Array:
    """A signed cyclic permutation times 0.88 plus dense entries, rows of |.| summing to about 1."""
    order = rng.permutation(n)
    matrix = rng.uniform(-0.24, 0.24, (n, n)) / n
    matrix[order, np.roll(order, 1)] += 0.88 * rng.choice([-1.0, 1.0], n)
    return matrix


def residue_problem(
    network: RecurrentNetwork, sizes: Sizes, field: Any, rng: np.random.Generator, *, weighted: bool = False
) -> Problem:
    """A problem of independent uniform residues; loss weights are ones unless `weighted`."""

    def random(shape: tuple[int, ...]) -> Any:
        return field.random(shape, rng)

    targets = random((sizes.T, sizes.K))
    if ask(network, Capabilities.target_domain) is TargetDomain.SHARES:
        targets = _summing_to_one(targets)
    return Problem(
        {name: random(s) for name, s in network.parameter_shapes(sizes).items()},
        random((sizes.T, sizes.D)),
        targets,
        map_shape(random, network.state_shape(sizes)),
        random((sizes.T,)) if weighted else field.lift(np.ones(sizes.T)),
        network,
    )


def _summing_to_one(targets: Array) -> Array:
    last = 1 - targets[:, :-1].sum(axis=1, keepdims=True)
    return np.concatenate([targets[:, :-1], last], axis=1)


def lifted_residues(problem: Problem, residue_field: Any, field: Field) -> Problem:
    """A residue problem carried over to a field of object scalars with the same prime."""
    return problem.map(lambda array: field.lift(residue_field.residues(array)))
