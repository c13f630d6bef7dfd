"""The shape of evidence on costs: `Cost` by its bounds, `Online` by its storage."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import ClassVar

from ...records import Cause, Evidence, Status, Strength
from ...reference.claims import Cost, Online
from ...reference.errors import GradcheckError, UnsupportedOperation
from ...rules.failures import RuleFailed
from ..base import Case, Finding, Kind, Plan, Progress, not_run, settled, whole
from .counts.fitting import SIZES
from .counts.polynomial import Polynomial, parse

UNITS = {"time": "operations", "storage": "numbers kept"}
"""Each cost that a claim bounds, with its unit."""


class CostKind(Kind):
    """A kind of evidence on costs, gathered in one piece.

    Attributes:
        numbers: The numbers that the rule is run on, for messages.
    """

    numbers: ClassVar[str]

    @abc.abstractmethod
    def bounded(self, case: Case, claim: Cost, progress: Progress) -> Finding:
        """Compare the rule's costs with the bounds of the claim."""

    @abc.abstractmethod
    def constant(self, case: Case, progress: Progress) -> Finding:
        """Decide if the rule's storage is the same for every T."""

    def plan(self, case: Case) -> Plan:
        claim = case.claim
        if isinstance(claim, Cost):
            return self._whole(lambda progress: self.bounded(case, claim, progress))
        if isinstance(claim, Online):
            return self._whole(lambda progress: self.constant(case, progress))
        return settled(self.kind, not_run(self.kind, f"the claim {claim} bounds no cost"))

    def _whole(self, gather: Callable[[Progress], Finding]) -> Plan:
        def run(progress: Progress) -> Finding:
            try:
                return gather(progress)
            except UnsupportedOperation as error:
                return not_run(self.kind, f"the rule does not run on {self.numbers}: {error}")
            except RuleFailed as error:
                return failed(self.kind, error)

        return whole(self.kind, run)


def failed(kind: str, error: RuleFailed) -> Finding:
    """Return the finding on a rule that raised an error."""
    return Finding(Evidence(kind, Status.ERROR, Strength.NONE, str(error), cause=Cause.FAILED))


def bounds(claim: Cost, settings: tuple[str, ...]) -> dict[str, Polynomial]:
    """Parse the bounds of a claim.

    Args:
        claim: The claim.
        settings: Names of the rule's settings, which the bounds may contain beside T, I, D and K.

    Returns:
        The claimed polynomial by "time", "storage" or both.

    Raises:
        GradcheckError: A bound is no expression, or has a name that is no size or setting; or there is no bound.
    """
    found = {}
    for cost in UNITS:
        text = getattr(claim, cost)
        if text is None:
            continue
        found[cost] = parse(text)
        unknown = found[cost].variables - {*SIZES, *settings}
        if unknown or not found[cost].terms:
            known = ", ".join([*SIZES, *settings])
            raise GradcheckError(f"{cost}={text!r} of {claim} should be an expression in {known}")
    if not found:
        raise GradcheckError("Cost() bounds nothing; give time=, storage= or both, as in Cost(time='T*I*(I + K + D)')")
    return found
