"""A saved counterexample, run again: is the rule still wrong on it?

The rule runs on floats, and each entry of each parameter is judged against the ball of its true value and its derived
rounding allowance, as in an audit; not only the entry that was wrong.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flint
import numpy as np

from ..evidence.base import place
from ..evidence.floats.blackbox import compare_on
from ..evidence.target import entries
from ..records import Counterexample, spoken
from ..reference.claims import Claim
from ..reference.errors import GradcheckError, UnsupportedOperation
from ..reference.networks.base import Sizes
from ..reference.problem import Problem
from ..reference.scalars.formal import entry_name
from ..rules.adapt import Rule, as_rule
from ..rules.call import RuleFailed, WrongResult
from ..store.case import read
from ..store.data import claim_from, network_from, problem_from
from .counterexample import as_fraction


class Outcome(enum.Enum):
    """What became of a case. The value says what that means."""

    STILL_WRONG = "an entry is provably further from its true value than rounding allows"
    FIXED = "every entry of every parameter is within what rounding allows of its true value"
    INCONCLUSIVE = "no entry is provably wrong, but some have no finite rounding allowance"
    ERROR = "the rule raised, or returned no gradient of the case's parameters"

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Entry:
    """An entry of the result: what came, its true value, their distance and what rounding allows, to print."""

    name: str
    got: str
    true: str
    gap: str
    allowance: str


@dataclass(frozen=True)
class Replay:
    """What came of a case. where: sizes and settings. shown: the case's entry, or the first wrong one if that is right.

    wrong, undecided: names of entries. total: how many there are. before: (entry, got) when the case was saved.
    message: what the rule raised.
    """

    outcome: Outcome
    rule: str
    claim: str
    where: str
    before: tuple[str, str]
    shown: Entry | None = None
    wrong: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    total: int = 0
    message: str = ""

    @property
    def exit_status(self) -> int:
        """0 fixed, 1 still wrong or failed, 3 undecided."""
        return {Outcome.FIXED: 0, Outcome.INCONCLUSIVE: 3}.get(self.outcome, 1)

    def __str__(self) -> str:
        from ..report.replayed import to_text

        return to_text(self)


def replay(case: str | Path | Mapping[str, Any] | Counterexample, rule: Any) -> Replay:
    """Run a rule on a saved case: a path, its data, or a counterexample of a report.

    Raises `GradcheckError` for what is no case or no rule, a network that cannot be loaded, and a rule that does not
    take the case's settings.
    """
    data = read(case)
    replayed = as_rule(rule, weighted=True if data["weighted"] else None)
    try:
        claim = claim_from(data["claim"])
        problem = problem_from(data["arrays"], network_from(data["network"], replayed.declaration.networks))
        _check_sizes(data["sizes"], problem)
    except GradcheckError as error:
        raise GradcheckError(f"this case cannot be replayed: {error}") from error
    _check_settings(replayed, problem, data["settings"])
    return _judged(replayed, claim, problem, data)


def _check_sizes(stated: Mapping[str, int], problem: Problem) -> None:
    if set(stated) != {"T", "I", "D", "K"} or Sizes(**stated) != problem.sizes:
        raise GradcheckError(f"its sizes are {dict(stated)}, and its arrays have {problem.sizes}")


def _check_settings(rule: Rule, problem: Problem, settings: Mapping[str, int]) -> None:
    try:
        inspect.signature(rule.function).bind(problem, **settings)
    except TypeError as error:
        chosen = ", ".join(f"{name}={value}" for name, value in settings.items())
        raise GradcheckError(
            f"this case calls the rule with {chosen or 'no settings'}, and {rule.name} does not take that: {error}"
        ) from None
    except ValueError:  # a function without a signature
        pass


def _judged(rule: Rule, claim: Claim, problem: Problem, data: Mapping[str, Any]) -> Replay:
    settings, saved = data["settings"], data["entry"]
    common = (rule.name, str(claim), place(problem.sizes, settings), (saved, data["got"]))
    try:
        _, result, truth, field, allowed = compare_on(rule, claim, problem, settings)
    except (RuleFailed, WrongResult, UnsupportedOperation) as error:
        wanted = ", ".join(f"{name} {array.shape}" for name, array in problem.parameters.items())
        return Replay(Outcome.ERROR, *common, message=f"{error}. The parameters of the case are {wanted}")
    judged: dict[str, tuple[float, Any, Any, float]] = {}
    wrong, undecided = [], []
    with field.working():
        for (name, index, value), (_, _, ball) in zip(entries(result), entries(truth), strict=True):
            at, true, allow = entry_name(name, index), field.native(ball), float(allowed[name][index])
            gap = abs(flint.arb(float(value)) - true) if np.isfinite(value) else flint.arb.pos_inf()
            judged[at] = (float(value), true, gap, allow)
            if not np.isfinite(allow) or not (gap <= flint.arb(allow) or gap > flint.arb(allow)):
                undecided.append(at)
            elif gap > flint.arb(allow):
                wrong.append(at)
        if saved not in judged:
            raise GradcheckError(f"this case is about the entry {saved}, and its parameters have {', '.join(judged)}")
        shown = wrong[0] if wrong and saved not in wrong else saved
        value, true, gap, allow = judged[shown]
        known = spoken(true.str(20, radius=False), as_fraction(claim, problem, shown, true))
        allowance = f"{allow:.3g}" if allow else "0"
        entry = Entry(shown, repr(value), known, gap.str(6, radius=False), allowance)
    outcome = Outcome.STILL_WRONG if wrong else Outcome.INCONCLUSIVE if undecided else Outcome.FIXED
    return Replay(outcome, *common, entry, tuple(wrong), tuple(undecided), len(judged))
