"""Request of an audit: made and validated once, at the face, and what travels from there."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..evidence.base import Case
from ..evidence.cost.base import bounds
from ..judge.effort import EFFORTS
from ..reference.claims import Claim, Cost, checked_expectations, with_stable
from ..reference.errors import GradcheckError
from ..reference.networks.base import Capabilities, RecurrentNetwork, ask
from ..reference.networks.state import state_of
from ..reference.problem import Problem
from ..rules.adapt import Rule, as_rule, bind_settings
from ..rules.expectation import expectation
from ..rules.load import load_rule, resolve
from ..store.fingerprint import fingerprint
from ..store.problems import ProblemsFile, as_data
from .given import checked, network_of


@dataclass(frozen=True)
class Limits:
    """Limits on what a rule may use.

    Args:
        call_seconds: wall time of one call on one problem, in seconds.
        memory: bytes beyond what the process holds before the rule runs; kept on Linux.

    Raises:
        GradcheckError: a limit is no positive number.
    """

    call_seconds: float = 60.0
    memory: int = 4 * 2**30

    def __post_init__(self) -> None:
        for name, value in (("call_seconds", self.call_seconds), ("memory", self.memory)):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                raise GradcheckError(f"{name} is a number greater than 0; got {value!r}")


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class AuditRequest:
    """One rule and what it is audited on.

    Args:
        target: the rule, or the text that names it wherever this request is sent.
        name: the rule's name in progress and results; its own name where empty.
        claims: claims to judge instead of those that the rule declares.
        networks: networks to judge it on instead of those that it declares.
        weighted: whether it reads `problem.loss_weights`, instead of what it declares.
        effort: "full" or "quick".
        seed: seed of every problem.
        expected: claims known to be false, as printed or by kind, each with the reason.
        limits: limits on the rule's code; None runs it without.
        problems: problems to judge it on, beside those that gradcheck makes and the rule declares.
    """

    target: Any
    name: str = ""
    claims: tuple[Claim, ...] | None = None
    networks: tuple[RecurrentNetwork, ...] | None = None
    weighted: bool | None = None
    effort: str = "full"
    seed: int = 0
    expected: Mapping[str, str] | None = None
    limits: Limits | None = field(default_factory=Limits)
    problems: Sequence[Problem] | ProblemsFile | None = field(default=None, compare=False)

    def prepare(self) -> Prepared:
        """Return the rule with what it is judged on.

        Raises:
            GradcheckError: the target is no rule, or a claim, network, effort, seed, expectation or problem is invalid.
        """
        if self.effort not in EFFORTS:
            raise GradcheckError(f"there is no effort {self.effort!r}; choose one of {', '.join(EFFORTS)}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise GradcheckError(f"a seed is a whole number, at least 0; got {self.seed!r}")
        target = _load(self.target) if isinstance(self.target, str) else self.target
        declared = as_rule(target, claims=self.claims, networks=self.networks, weighted=self.weighted)
        rule, note = bind_settings(declared)
        for claim in rule.declaration.claims:
            claim.bind(rule.settings(1)[0])
            if isinstance(claim, Cost):
                bounds(claim, tuple(rule.settings(1)[0]))
        if self.expected is not None:
            known = checked_expectations(self.expected, rule.declaration.claims)
            rule = dataclasses.replace(rule, declaration=dataclasses.replace(rule.declaration, expected=known))
        return Prepared(self, rule, (note,) if note else (), self._added(rule))

    def _added(self, rule: Rule) -> tuple[Problem, ...]:
        """Return the problems that the rule declares, on networks that it is judged on, and those of the request."""
        declared = rule.declaration.problems
        if self.networks is not None:
            declared = tuple(p for p in declared if not isinstance(p, Problem) or network_of(p, rule) is not None)
        added = checked(declared, rule) if declared else ()
        return added if self.problems is None else (*added, *checked(self.problems, rule))


@dataclass(frozen=True)
class Prepared:
    """A validated request: the rule, notes for the reader of its report, and the problems that a user added."""

    request: AuditRequest
    rule: Rule
    notes: tuple[str, ...]
    problems: tuple[Problem, ...] = ()

    def case(self, claim: Claim, network: int) -> Case:
        """Return a claim of the rule on the network of this number."""
        on = self.networks[network]
        problems = tuple(problem for problem in self.problems if problem.network is on)
        rule = expectation(self.rule) if claim.of_expectation else self.rule
        return Case(rule, claim, on, self.request.seed, problems)

    @property
    def name(self) -> str:
        """The name under which results are kept."""
        return self.request.name or self.rule.name

    def fingerprint(self) -> dict[str, Any]:
        """Return what saved results must have in common with this audit.

        Raises:
            GradcheckError: the rule has no file, so that a change of it could not be seen.
        """
        asked = self.request
        limits = None if asked.limits is None else [asked.limits.call_seconds, asked.limits.memory]
        target = None if isinstance(asked.target, str) else asked.target
        return fingerprint(
            self.rule, target, asked.claims, asked.networks, name=self.name, effort=asked.effort, seed=asked.seed,
            limits=limits, problems=[as_data(problem) for problem in self.problems],
        )  # fmt: skip

    @property
    def networks(self) -> Sequence[RecurrentNetwork]:
        """The networks that the rule is judged on, in order."""
        return self.rule.declaration.networks

    @cached_property
    def claims(self) -> dict[str, Claim]:
        """Each claim by a name of its own: as printed, numbered where another before it is printed the same."""
        named: dict[str, Claim] = {}
        for claim in with_stable(self.rule.declaration.claims):
            text = str(claim)
            number = sum(str(other) == text for other in named.values())
            named[f"{text} #{number + 1}" if number else text] = claim
        return named

    def is_first(self, network: int) -> bool:
        """Return True if the network is the first of its class; the others are judged at fewer and smaller sizes."""
        kinds = [(type(each), type(ask(each, Capabilities.functions))) for each in self.networks]
        return kinds.index(kinds[network]) == network

    def first_alike(self, network: int) -> int:
        """Return the number of the first network that differs from this one at most in activation, output and loss."""
        return self._families.index(self._families[network])

    @cached_property
    def _families(self) -> list[Hashable]:
        return [_family(each) for each in self.networks]


def _family(network: RecurrentNetwork) -> Hashable:
    """Return a key of what the network computes once its functions are left undefined, as a proof for all has them."""
    try:
        general = ask(network, Capabilities.undefined)
    except Exception:  # of an author's own method; no proof covers what cannot be asked
        general = None
    return state_of(network if general is None else general)


def _load(text: str) -> Any:
    return load_rule(text) if ":" in text else dict(resolve(text))[text]
