"""A fault: a shipped rule with one mistake in it, as data."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algorithms.online import run_rule
from ..reference import lags
from ..reference.claims import Claim, Cost, Declaration, Exact, Online
from ..reference.network import DEFAULT_NETWORK, ContextNetwork, RecurrentNetwork
from ..reference.problem import Problem, loss
from ..reference.typing import Array, Gradient
from . import patched, sequences
from .patched import Change


@dataclass(frozen=True)
class Base:
    """A shipped rule that faults are made of.

    module: where in gradcheck.algorithms it is. rule: its name there. network: what its faults are judged on unless
    they say otherwise. objective and truth: what it is the gradient of, if it is one, and that gradient by the
    reference. wrap: makes a rule of what the module has.
    """

    module: str
    rule: str
    network: RecurrentNetwork = DEFAULT_NETWORK
    objective: Callable[[Problem], Any] = loss
    truth: Callable[[Problem], Gradient] = lags.gradient
    wrap: Callable[[Any], Any] = lambda rule: rule


BASES = {
    "bptt": Base("bptt", "bptt"),
    "truncated_bptt": Base("truncated_bptt", "truncated_bptt"),
    "windowed_bptt": Base("windowed_bptt", "windowed_bptt"),
    "chunked_bptt": Base("chunked_bptt", "chunked_bptt"),
    "rtrl": Base("rtrl", "RTRL"),
    "schmidhuber": Base("schmidhuber", "Schmidhuber"),
    "focused": Base("focused", "Focused", ContextNetwork()),
    "descent": Base(
        "descent", "risk_gradient", objective=sequences.risk, truth=sequences.mean_of_halves, wrap=sequences.over_halves
    ),
}
"""The shipped rules by the name that a fault's `base` gives."""


@dataclass(frozen=True)
class Fault:
    """A mistake in the code of a recurrent gradient.

    id: in kebab case. category: groups the gallery. effect: what the wrong gradient is. base: a key of `BASES`.
    changes: the mistake, as replacements in the shipped source. seen: where it has been seen or is described, empty
    where no source is known for certain. breaks: the claim that it refutes, "result" (the gradient is not what the
    rule claims) or "pure" (it is no function of its problem). networks: where it shows, if not on the base's own.
    claims: instead of the base's, with its settings left at their defaults. values: whether it looks at its numbers,
    or loses digits of floats, so that it is wrong on floats only, and may not run on scalars without an order.
    visible_in_float32: whether its effect exceeds the resolution of float32, 2^-24 relative.
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

    def rule(self) -> Any:
        """Return the wrong rule, declared as its base is and named after the fault; the same one at each call."""
        return _rule(self)

    def fresh(self) -> Any:
        """Return the wrong rule made anew: nothing that another call kept is left in it."""
        return build(self.base, self.changes, self.id, networks=self.networks, claims=self.claims)

    def black_box(self) -> Any:
        """Return a fresh one behind a cast to floats, as code outside NumPy has it: no other scalar reaches it."""
        return black_box(self.fresh())

    @property
    def claims_a_gradient(self) -> bool:
        """Return True if the rule claims to be the gradient of its base's objective, rather than to leave lags out."""
        exact = all(isinstance(claim, Exact) for claim in _declared(self.rule()).claims)
        return exact or self.base == "descent"

    def diff(self) -> str:
        """Return the mistake as a unified diff against the shipped files."""
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
    """Return a rule from the changed source of a base; without changes, a copy of the base.

    It can be pickled and named on the command line where `name` is a fault's id: gradcheck.faults.rules has it.
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
    """Return a rule that makes floats of its problem and calls another; it declares what the other does."""

    def cast(problem: Problem, **settings: int) -> Gradient:
        return run_rule(rule, problem.map(_floats), **settings)

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
