"""The records of the plugin: an audit to make, and a test of one of its claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..reference.claims import Claim
    from ..reference.networks.base import RecurrentNetwork


@dataclass(frozen=True)
class Request:
    """A rule, and how its audit is to be made.

    Attributes:
        name: The rule's name.
        rule: The rule, as the user gave it.
        claims: Every claim to judge but `pure`, in order.
        networks: The networks in place of the declared ones, if any.
        effort: "quick" or "full"; None leaves it to the session.
        expected: The claims known to be false, each with its reason, in place of the declared ones, if any.
    """

    name: str
    rule: Any
    claims: tuple[Claim, ...]
    networks: tuple[RecurrentNetwork, ...] | None
    effort: str | None
    expected: tuple[tuple[str, str], ...] | None = None
    declared: bool = True
    """True if the claims are those that the rule declares."""
    problems: Any = None
    """Problems to judge on, beside those that gradcheck makes."""

    @property
    def key(self) -> tuple[Any, ...]:
        """The key under which requests that one audit answers are equal."""
        from ..reference.networks.state import state_of

        computed = None if self.networks is None else tuple(map(state_of, self.networks))
        return (id(self.rule), self.claims, computed, self.effort, self.expected, id(self.problems))


@dataclass(frozen=True)
class ClaimTest:
    """The value of the argument `verdict` until its test runs.

    Attributes:
        request: The audit to make.
        claim: The claim of this test, as printed.
        problem: Why there is nothing to audit, if so.
    """

    request: Request
    claim: str
    problem: str = ""
