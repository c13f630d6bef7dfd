"""Faults: rules with one mistake each, as data."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algorithms.online import is_stochastic, run_rule
from ..reference import definitions, lags, wanted
from ..reference.claims import Claim, Cost, Declaration, Exact, Online
from ..reference.network import DEFAULT_NETWORK, Batch, ContextNetwork, Network, RecurrentNetwork, Sizes
from ..reference.networks.gated import GRU, MGU
from ..reference.networks.leaky import Leaky
from ..reference.networks.linear import LRU, RTU
from ..reference.networks.lstm import LSTM
from ..reference.networks.simple import Elman
from ..reference.networks.stacked import Stacked
from ..reference.noise import Noise
from ..reference.problem import Problem, loss
from ..reference.typing import Array, Gradient
from . import patched, sequences
from .patched import Change


@dataclass(frozen=True)
class Base:
    """A right rule from which faults are made: a shipped one, or the backward pass of a cell in `by_hand`.

    Attributes:
        module: Its module, as in `Change`.
        rule: Its name in that module.
        network: The network of its faults, unless they name others.
        objective: The function of a problem of which it is the gradient, if it is one.
        truth: Returns that gradient, from the reference, of a problem as the rule gets it.
        wrap: Turns the object in the module into a rule.
        cells: The classes of networks for which its code is written.
        any_cell: True if it takes any network; a fault is then of the networks that it names.
    """

    module: str
    rule: str
    network: RecurrentNetwork = DEFAULT_NETWORK
    objective: Callable[[Problem], Any] = loss
    truth: Callable[[Any], Gradient] = lags.gradient
    wrap: Callable[[Any], Any] = lambda rule: rule
    cells: tuple[type, ...] = (Network,)
    any_cell: bool = False


def _by_hand(module: str, *cells: type, network: RecurrentNetwork) -> Base:
    return Base(f"by_hand.{module}", module, network, cells=cells)


def _local(module: str, rule: str, network: RecurrentNetwork, truth: Callable[..., Gradient]) -> Base:
    cells = (LRU, RTU) if isinstance(network, LRU) else (Network, Leaky)
    return Base(module, rule, network, truth=truth, cells=cells)


BASES = {
    "bptt": Base("bptt", "bptt"),
    "bptt_to_inputs": Base(
        "bptt_to_inputs", "bptt_to_inputs", truth=functools.partial(lags.gradient, of=wanted.KINDS), any_cell=True
    ),
    "truncated_bptt": Base("truncated_bptt", "truncated_bptt"),
    "windowed_bptt": Base("windowed_bptt", "windowed_bptt"),
    "chunked_bptt": Base("chunked_bptt", "chunked_bptt"),
    "rtrl": Base("rtrl", "RTRL"),
    "uoro": Base("uoro", "UORO"),
    "nobacktrack": Base("nobacktrack", "NoBackTrack"),
    "kf_rtrl": Base("kf_rtrl", "KFRTRL"),
    "reverse_kf_rtrl": Base("reverse_kf_rtrl", "ReverseKFRTRL"),
    "kronecker_sum": Base("kronecker_sum", "EvenSum"),
    "artbp": Base("artbp", "artbp"),
    "forward_gradient": Base("forward_gradient", "ForwardGradient"),
    "schmidhuber": Base("schmidhuber", "Schmidhuber"),
    "focused": Base("focused", "Focused", ContextNetwork(), cells=(ContextNetwork,)),
    "batched_bptt": Base(
        "batched_bptt",
        "batched_bptt",
        Batch(Elman(), N=2, time="mean", lengths="any"),
        truth=lambda given: lags.gradient(given.side_by_side),
        cells=(Batch,),
    ),
    "descent": Base(
        "descent", "risk_gradient", objective=sequences.risk, truth=sequences.mean_of_halves, wrap=sequences.over_halves
    ),
    "snap": _local("snap", "SnAp", Leaky(leak=0.25), definitions.snap),
    "rflo": _local("rflo", "RFLO", Leaky(leak=0.25), definitions.rflo),
    "eprop": _local("eprop", "EProp", Leaky(leak=0.25, state="potential"), definitions.eprop),
    "eprop_factorised": _local("eprop", "eprop_factorised", Leaky(leak=0.25), lags.gradient),
    "kernl": _local("kernl", "KeRNL", Leaky(leak=0.25), definitions.kernl),
    "dni": _local("dni", "DNI", Leaky(leak=0.25), definitions.dni),
    "sparse_rtrl": _local("sparse_rtrl", "SparseRTRL", Leaky(leak=0.25, recurrence="ring"), definitions.on_pattern),
    "diagonal_rtrl": _local("diagonal_rtrl", "DiagonalRTRL", LRU(), lags.gradient),
    "elman": _by_hand("elman", Elman, network=Elman(biases=2)),
    "jacobians": _by_hand("jacobians", Elman, network=Elman()),
    "leaky": _by_hand("leaky", Leaky, network=Leaky()),
    "gru": _by_hand("gru", GRU, network=GRU()),
    "mgu": _by_hand("mgu", MGU, network=MGU()),
    "lstm": _by_hand("lstm", LSTM, network=LSTM()),
    "turning": _by_hand("turning", LRU, RTU, network=LRU()),
    "stacked": _by_hand("stacked", Stacked, network=Stacked(Elman(), Elman())),
}
"""The rules from which faults are made, by name."""


@dataclass(frozen=True)
class Fault:
    """A mistake in the code of a recurrent gradient.

    Attributes:
        id: Its name in kebab case.
        category: The group of the gallery.
        effect: A sentence on the wrong gradient.
        base: A key of `BASES`.
        changes: The mistake, as replacements in the base's source.
        seen: A project or paper with this mistake; empty if no source is certain.
        breaks: The claim that it refutes: "result" if the gradient is wrong, "pure" if the rule is no function of its
            problem, "stable" if it fails at extreme values, "online" or "cost" if it takes more than it claims.
        networks: Networks on which it shows; the base's own if empty.
        claims: Claims in place of the base's, at the default settings.
        values: True if the code branches on its numbers or loses digits of floats. The rule is then wrong on floats
            only, and may not run on scalars without an order.
        visible_in_float32: True if the effect exceeds the resolution of float32, 2^-24 relative.
        found_by: The column of the matrix that catches it, where common problems do not show it; else empty.
        sizes: Sizes of a problem that shows it, if it was found by a search of sizes or values.
        change: The structure of that problem's values; see `gradcheck.problems.structured`.
    """

    id: str
    category: str
    effect: str
    base: str
    changes: tuple[Change, ...]
    seen: str = ""
    breaks: str = "result"
    networks: tuple[RecurrentNetwork, ...] = ()
    claims: tuple[Claim, ...] = ()
    values: bool = False
    visible_in_float32: bool = True
    found_by: str = ""
    sizes: Sizes | None = None
    change: str = ""

    def rule(self) -> Any:
        """Return the wrong rule with the declaration of its base and the fault's name; the same object at each call."""
        return _rule(self)

    def fresh(self) -> Any:
        """Return a new copy of the wrong rule, without state from earlier calls."""
        return build(self.base, self.changes, self.id, networks=self.networks, claims=self.claims)

    def black_box(self) -> Any:
        """Return a new copy that casts its problem to floats, like code outside NumPy."""
        return black_box(self.fresh())

    def runs_on(self, network: RecurrentNetwork) -> bool:
        """Return whether the base, as this fault changes it, has this network's equations."""
        named = tuple(map(type, self.networks)) if BASES[self.base].any_cell else ()
        return isinstance(network, named or BASES[self.base].cells)

    @property
    def claims_a_gradient(self) -> bool:
        """True if the rule claims that each result is the gradient of its base's objective, with no lags left out."""
        exact = all(isinstance(claim, Exact) for claim in _declared(self.rule()).claims)
        return (exact and not self.stochastic) or self.base == "descent"

    @property
    def stochastic(self) -> bool:
        """True if the rule draws from noise."""
        return is_stochastic(self.rule())

    def diff(self) -> str:
        """Return the mistake as a unified diff against the base."""
        return patched.diff(self.changes)


@functools.cache
def _rule(fault: Fault) -> Any:
    return fault.fresh()


def build(
    base: str,
    changes: tuple[Change, ...] = (),
    name: str = "",
    *,
    networks: tuple[RecurrentNetwork, ...] = (),
    claims: tuple[Claim, ...] = (),
) -> Any:
    """Return a rule from the changed source of a base.

    If `name` is a fault's id, the rule can be pickled and named on the command line, through gradcheck.faults.rules.

    Args:
        base: A key of `BASES`.
        changes: Replacements in the source; a copy of the base if empty.
        name: The rule's name; that of the base if empty.
        networks: Networks to declare; the base's own if empty.
        claims: Claims to declare in place of the base's.
    """
    kind, name = BASES[base], name or base
    rule = kind.wrap(getattr(patched.load(kind.module, changes, name), kind.rule))
    declared = _declared(rule)
    about_results = tuple(claim for claim in declared.claims if not isinstance(claim, (Cost, Online)))
    declaration = dataclasses.replace(declared, claims=about_results, networks=networks or (kind.network,))
    if claims:
        declaration = dataclasses.replace(declaration, claims=claims, settings=None)
    rule.__gradcheck__ = declaration
    rule.__name__ = rule.__qualname__ = name
    rule.__module__ = "gradcheck.faults.rules"
    return rule


def black_box(rule: Any) -> Any:
    """Return a rule that casts its problem to floats and calls another rule, with the same declaration."""

    def cast(problem: Problem, **settings: int) -> Gradient:
        return run_rule(rule, problem.map(_floats), noise=None, **settings)

    def drawing(problem: Problem, noise: Noise, **settings: int) -> Gradient:
        return run_rule(rule, problem.map(_floats), noise=noise, **settings)

    cast = drawing if is_stochastic(rule) else cast  # type: ignore[assignment]
    cast.__name__ = cast.__qualname__ = rule.__name__
    cast.__gradcheck__ = _declared(rule)  # type: ignore[attr-defined]
    return cast


def _floats(array: Array) -> Array:
    if type(array) is np.ndarray and array.dtype.kind == "f":
        return array
    return np.array([float(value) for value in array.reshape(-1)]).reshape(array.shape)


def _declared(rule: Any) -> Declaration:
    return rule.__gradcheck__  # type: ignore[no-any-return]


def by_category(faults: tuple[Fault, ...]) -> Mapping[str, tuple[Fault, ...]]:
    """Return the faults of each category, in order."""
    categories = dict.fromkeys(fault.category for fault in faults)
    return {name: tuple(fault for fault in faults if fault.category == name) for name in categories}
