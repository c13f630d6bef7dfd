"""SymPy's gradient as polynomials over Q, by lag: what every proof compares with.

SymPy differentiates the unrolled loss (`symbolic`), and what it finds is written down as an arithmetic circuit
(`circuit`), which is evaluated in a ring of polynomials. A circuit of a network whose functions are all undefined can
be kept in a store and read again, several times faster than it is derived and without SymPy. The store is not trusted:
a circuit that was read counts only where every lag term is, as a polynomial, the one that the reverse pass (`lags`)
finds, which knows nothing of SymPy; otherwise it is derived anew. So no file, damaged or forged, makes anything else
the truth.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

from . import arrays, lags
from .circuit import Evaluation, LagCircuit
from .claims import LagClaim
from .networks import start
from .networks.base import Capabilities, RecurrentNetwork, Sizes, TargetDomain, ask
from .networks.domains import INPUTS, domain_of, inside
from .networks.registry import is_shipped
from .networks.state import cached
from .problem import Problem, named_state, state_names
from .scalars.formal import FormalField, entry_name
from .tree import flatten, is_shape
from .typing import Array
from .wanted import DEFAULT, INITIAL_STATE, Of, joined, kind_of, row


class Store(Protocol):
    """Storage of circuits as plain data, which JSON can hold. Neither method raises."""

    def __hash__(self) -> int:
        """Return a hash, for a store is the key of a cache."""

    def get(self, key: str) -> Any:
        """Return the data put there, or None."""

    def put(self, key: str, data: Any) -> None:
        """Keep it, if that is possible."""


def keepable(network: RecurrentNetwork) -> bool:
    """Return whether circuits of this network can be kept: its equations are shipped, whatever f and L are."""
    return is_shipped(network)


class FormalReference:
    """SymPy's gradient in a polynomial ring, for one network and one (I, D, K), of some arrays; any T up to `sizes.T`.

    SymPy differentiates with f and L undefined wherever the network has such a form, and the network's own
    functions are put in for them afterwards, so one differentiation serves every activation and loss. Each
    lag term is differentiated and evaluated once; every claim about lags is a sum of them.
    """

    def __init__(
        self,
        network: RecurrentNetwork,
        sizes: Sizes,
        *,
        weighted: bool = False,
        store: Store | None = None,
        of: Of = DEFAULT,
        spare: int = 0,
    ) -> None:
        self.network, self.sizes, self.weighted, self.of = network, sizes, weighted, of
        self.field = _field(network, sizes, spare)
        self._source: RecurrentNetwork = ask(network, Capabilities.undefined) or network
        self._instance = ask(network, Capabilities.functions) if network != self._source else None
        self._store = store
        self._given: dict[str, Any] = {}
        self._keep_to_domains()
        if ask(network, Capabilities.target_domain) is TargetDomain.SHARES:
            self._make_targets_probabilities()
        self._terms: dict[tuple[RecurrentNetwork, int], list[dict[str, Array]]] = {}
        self._sums: dict[tuple[RecurrentNetwork, int, tuple[int, ...]], dict[str, Array]] = {}

    def _keep_to_domains(self) -> None:
        """Give numbers in place of generators: 0 outside a pattern, and some of those that lie apart."""
        rng = np.random.default_rng(0)
        arrays = {**self.network.parameter_shapes(self.sizes), INPUTS: (self.sizes.T, self.sizes.D)}
        for name, shape in arrays.items():
            domain = domain_of(self.network, name)
            if domain.discrete:
                for index, value in np.ndenumerate(inside(self.network, name, 3 * rng.normal(size=shape))):
                    self._given[entry_name(name, index)] = self.field.convert(int(value))
            for at in np.argwhere(~domain.mask(shape)):
                self._given[entry_name(name, tuple(map(int, at)))] = self.field.convert(0)

    def _make_targets_probabilities(self) -> None:
        """Let the last target of each step be 1 minus the others, as categorical cross-entropy wants."""
        each = self.sizes.K // ask(self.network, Capabilities.sequences)
        for t in range(self.sizes.T):
            for first in range(0, self.sizes.K, each):
                *others, last = (entry_name("targets", (t, k)) for k in range(first, first + each))
                self._given[last] = self.field.convert(1) - sum(map(self.field.symbol, others), self.field.convert(0))

    def problem(self, T: int) -> Problem:
        """Return the problem of length T whose entries are generators."""
        return _generic(self.field, self.network, T, self.sizes, self.weighted, self._given)

    def term(self, t: int, k: int, T: int | None = None) -> dict[str, Array]:
        """Return the uses of g(t, k) of T steps, or of the most, weighted: name to an array of native polynomials."""
        return self._of(ask(self._source, Capabilities.at_step, t, T or self.sizes.T), t)[k]

    def _of(self, source: RecurrentNetwork, t: int) -> list[dict[str, Array]]:
        """Return the uses of g(t, 0), ..., g(t, t-1) of the loss of `source`, weighted."""
        if (source, t) not in self._terms:
            weight = self.field.symbol(f"loss_weights[{t - 1}]") if self.weighted else self.field.convert(1)
            circuit = lag_circuit(source, self.sizes.I, self.sizes.D, self.sizes.K, t, self._store, self.of)
            shapes = _use_shapes(self.network, self.sizes)
            self._terms[source, t] = _evaluated(circuit, shapes, self._evaluation(), weight)
        return self._terms[source, t]

    @property
    def monomials(self) -> int:
        """The monomials of all lag terms that were derived."""
        found = itertools.chain.from_iterable(self._terms.values())
        terms = (p for term in found for array in term.values() for p in array.reshape(-1).tolist())
        return sum(map(len, terms))

    def _evaluation(self) -> Evaluation:
        evaluation = Evaluation(self.field, self._instance)
        for label, value in self._given.items():
            evaluation.assign(label, value)
        return evaluation

    def gradient(self, T: int, claim: LagClaim) -> dict[str, Array]:
        """Return the sum of the lag terms that `claim` keeps, for T steps: name to an array of native polynomials."""
        kept = ((t, tuple(k for k in range(t) if claim.keeps(t, k, T))) for t in range(1, T + 1))
        return self._joined(T, _summed(self._of_loss(t, lags, T) for t, lags in kept if lags))

    def lag(self, T: int, t: int, k: int) -> dict[str, Array]:
        """Return g(t, k), weighted, for T steps: name to an array of native polynomials."""
        return self._joined(T, self.term(t, k, T))

    def _joined(self, T: int, uses: dict[str, Array]) -> dict[str, Array]:
        return _joined(uses, self.problem(T), self.of, self.field)

    def _of_loss(self, t: int, lags: tuple[int, ...], T: int) -> dict[str, Array]:
        """Return the sum of g(t, k) over these k, which the settings of a claim have in common."""
        source = ask(self._source, Capabilities.at_step, t, T)
        if (source, t, lags) not in self._sums:
            terms = self._of(source, t)
            self._sums[source, t, lags] = _summed(terms[k] for k in lags)
        return self._sums[source, t, lags]


@cached(1024)
def lag_circuit(
    network: RecurrentNetwork, I: int, D: int, K: int, t: int, store: Store | None = None, of: Of = DEFAULT
) -> LagCircuit:
    """Return the uses of g(t, 0), ..., g(t, t-1), unweighted, from the store if it has them right, else from SymPy."""
    sizes = Sizes(t, I, D, K)
    if store is None or not keepable(network) or network != ask(network, Capabilities.undefined):
        return _derived(network, sizes, of)
    key = f"the lags of the loss at T for {network.name}, {network}, at {sizes}"
    key += "" if of == DEFAULT else f", of {', '.join(of)}"
    try:
        circuit = LagCircuit.from_plain(store.get(key))
        if _is_the_reverse_pass(circuit, network, sizes, of):
            return circuit
    except Exception:  # whatever a file makes of it, its circuit is no better than none
        pass
    circuit = _derived(network, sizes, of)
    store.put(key, circuit.plain())
    return circuit


def _derived(network: RecurrentNetwork, sizes: Sizes, of: Of) -> LagCircuit:
    from . import symbolic  # SymPy is not needed where circuits are kept

    return symbolic.lag_circuit(network, sizes, sizes.T, of)


def _is_the_reverse_pass(circuit: LagCircuit, network: RecurrentNetwork, sizes: Sizes, of: Of) -> bool:
    """Return whether each lag term of the last loss is, as a polynomial, that of the reverse pass."""
    field = _field(network, sizes)
    problem = _generic(field, network, sizes.T, sizes, False, {})
    pulled = lags.of_last_loss(problem, of)
    terms = _evaluated(circuit, _use_shapes(network, sizes), Evaluation(field), field.convert(1))
    return len(terms) == sizes.T and all(
        term.keys() == _used(problem, of, k)
        and all(
            array.reshape(-1).tolist() == field.natives(pulled[sizes.T, k][name])
            for name, array in _joined(term, problem, of, field).items()
        )
        for k, term in enumerate(terms)
    )


def _used(problem: Problem, of: Of, k: int) -> set[str]:
    """Return the names of the uses of g(T, k)."""
    names = {row(problem.T - k) if name == INPUTS else name for name in arrays.wanted(problem, of)}
    return {name for name in names if k == problem.T - 1 or kind_of(name) != INITIAL_STATE}


def _use_shapes(network: RecurrentNetwork, sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all that a gradient can be asked for, by the names of uses."""
    shape = network.state_shape(sizes)
    states = zip(state_names(shape), (tuple(part) for _, part in flatten(shape, is_shape)), strict=True)
    rows = {row(t): (sizes.D,) for t in range(1, sizes.T + 1)}
    return {**network.parameter_shapes(sizes), **rows, **dict(states)}


def _joined(uses: dict[str, Array], problem: Problem, of: Of, field: FormalField) -> dict[str, Array]:
    """Return a gradient of native polynomials from its uses."""
    if of == DEFAULT and uses:
        return uses

    def zeros(array: Array) -> Array:
        return _array([field.convert(0)] * array.size, array.shape)

    return joined(uses, arrays.wanted(problem, of), zeros)


def _evaluated(
    circuit: LagCircuit, shapes: dict[str, tuple[int, ...]], evaluation: Evaluation, weight: Any
) -> list[dict[str, Array]]:
    """Return the uses of the lag terms, weighted, as arrays of native values."""
    for gate in circuit.gates:
        evaluation.add(gate)
    return [
        {name: _array([weight * evaluation.values[n] for n in numbers], shapes[name]) for name, numbers in lag.items()}
        for lag in circuit.lags
    ]


def _array(values: list[Any], shape: tuple[int, ...]) -> Array:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out.reshape(shape)


def _field(network: RecurrentNetwork, sizes: Sizes, spare: int = 0) -> FormalField:
    """Return a ring with enough generators for the network, some for the rule's functions, and `spare` more."""
    parameters = sum(int(np.prod(s)) for s in network.parameter_shapes(sizes).values())
    functions = 4 if is_shipped(network) else 8
    N = ask(network, Capabilities.sequences)
    taken = max(functions * N * sizes.I, _functions_of_a_step(network, sizes.I, sizes.D, sizes.K) + N * sizes.I)
    states = sizes.T * (taken + 4 * sizes.K + sizes.D + 2)
    laws = N * _FEW_LAWS if is_shipped(network) else N * _FEW_LAWS + sizes.T * (4 * N * sizes.I + 2 * sizes.K)
    return FormalField(parameters + states + 3 * sizes.I + 16 + spare, laws)


_FEW_LAWS = 16
"""Number of roots and inverses that a rule may take where the network takes none."""


@cached(64)
def _functions_of_a_step(network: RecurrentNetwork, I: int, D: int, K: int) -> int:
    """Return the number of generators for functions that a step takes, those of their derivatives included."""
    field = FormalField(4096)
    try:
        problem = _generic(field, network, 1, Sizes(1, I, D, K), False, {})
        known = field.used
        network.step(problem.parameters, problem.initial_state, problem.inputs[0])
    except Exception:  # what a network cannot do is for its derivation to say
        return 0
    return 2 * (field.used - known)


def _generic(
    field: FormalField, network: RecurrentNetwork, T: int, sizes: Sizes, weighted: bool, given: dict[str, Any]
) -> Problem:
    sizes = Sizes(T, sizes.I, sizes.D, sizes.K)

    def array(name: str, shape: tuple[int, ...]) -> Array:
        names = (entry_name(name, index) for index in np.ndindex(*shape))
        return field.array((given[n] if n in given else field.symbol(n) for n in names), shape)

    return Problem(
        {name: array(name, s) for name, s in network.parameter_shapes(sizes).items()},
        array("inputs", (T, sizes.D)),
        array("targets", (T, sizes.K)),
        named_state(field.symbols, network.state_shape(sizes)) if start.is_given(network) else None,
        field.symbols("loss_weights", (T,)) if weighted else field.lift(np.ones(T)),
        network,
    )


def _summed(terms: Iterable[dict[str, Array]]) -> dict[str, Array]:
    total: dict[str, Array] = {}
    for term in terms:
        for name, array in term.items():
            total[name] = by_entry(operator.add, total[name], array) if name in total else array
    return total


def by_entry(operation: Callable[[Any, Any], Any], a: Array, b: Array) -> Array:
    """Return the sum, say, of two arrays of native polynomials of one shape, () included.

    A polynomial outside an array is a sequence to NumPy, which would take it apart.
    """
    return np.asarray(operation(a.reshape(-1), b.reshape(-1)).reshape(a.shape))
