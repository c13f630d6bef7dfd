"""Replay of a saved counterexample, and the record of its result.

The rule runs on floats. As in an audit, every entry of every parameter is compared with the ball of its true value,
within its derived allowance, not only the entry that was wrong. `gradcheck.replay` runs this in a separate process; see
`engine.replay`.
"""

from __future__ import annotations

import enum
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from ..evidence.floats.comparison import compare_on
from ..evidence.sizes import place
from ..evidence.target import entries
from ..records import spoken
from ..reference import arrays, wanted
from ..reference.claims import Claim, Settings
from ..reference.errors import GradcheckError, UnsupportedOperation
from ..reference.problem import Problem
from ..reference.scalars.formal import entry_name
from ..rules.adapt import Rule, WrongResult, wanted_by
from ..rules.failures import RuleFailed
from .counterexample import as_fraction

_WIDTH, _COLUMN, _NAMED = 80, 14, 6


class Outcome(enum.Enum):
    """The result of a replay; each value is its meaning."""

    STILL_WRONG = "an entry is provably further from its true value than rounding allows"
    FIXED = "every entry of every array is within what rounding allows of its true value"
    INCONCLUSIVE = "no entry is provably wrong, but some have no finite rounding allowance"
    ERROR = "the rule raised, or returned no gradient of the case's arrays"

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Entry:
    """An entry of the result, as text to print.

    Attributes:
        name: Such as R[0,1].
        got: The rule's number.
        true: The true value.
        gap: The distance between the two.
        allowance: The most that rounding could account for.
    """

    name: str
    got: str
    true: str
    gap: str
    allowance: str


@dataclass(frozen=True)
class Replay:
    """The record of a replay.

    Attributes:
        outcome: The result.
        rule: The name of the rule.
        claim: The claim, as printed.
        where: The sizes and settings.
        before: The case's entry, and the rule's number when the case was saved.
        shown: The case's entry, or the first wrong one if that is right.
        wrong: The names of the entries that are wrong.
        undecided: The names of the entries without a finite allowance.
        total: The number of entries.
        message: The reason for an ERROR.
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
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        head = f"{self.outcome.label}: {self.rule}, claimed {self.claim}, on the case with {self.where}"
        yield from textwrap.wrap(_one_line(head), _WIDTH, break_on_hyphens=False)
        if self.message:
            yield from _row("", self.message)
        if self.shown:
            relation = "should be" if self.shown.name in self.wrong else "truly"
            yield from _row(self.shown.name, f"{self.shown.got}, {relation} {self.shown.true}")
            yield from _row("off by", _distance(self.shown))
            parts = {"are wrong": self.wrong, "have no finite rounding allowance": self.undecided}
            counts = [f"{len(n)} of {self.total} {what}: {_listed(n)}" for what, n in parts.items() if n]
            yield from _row("entries", "; ".join(counts) or f"all {self.total} are within what rounding allows")
        entry, got = self.before
        yield from _row("the case", f"{entry} was {got}")


def check_settings(rule: Rule, problem: Problem, settings: Settings) -> None:
    """Check that the rule accepts the case's keyword arguments.

    Args:
        rule: The rule.
        problem: The problem of the case.
        settings: The keyword arguments.

    Raises:
        GradcheckError: The rule does not accept them.
    """
    try:
        inspect.signature(rule.function).bind(problem, *([None] if rule.stochastic else []), **settings)
    except TypeError as error:
        chosen = ", ".join(f"{name}={value}" for name, value in settings.items())
        raise GradcheckError(
            f"this case calls the rule with {chosen or 'no settings'}, and {rule.name} does not take that: {error}"
        ) from None
    except ValueError:  # a function without a signature
        pass


def compared(rule: Rule, claim: Claim, problem: Problem, settings: Settings, before: tuple[str, str]) -> Replay:
    """Run the rule on the problem and compare every entry with the claimed gradient.

    Args:
        rule: The rule.
        claim: A claim that promises a gradient.
        problem: The problem of the case, in float64.
        settings: The rule's keyword arguments.
        before: The case's entry, and the rule's number when the case was saved.

    Returns:
        The record of the replay; its outcome is ERROR if the rule fails.

    Raises:
        GradcheckError: The problem has no such entry.
    """
    saved = before[0]
    common = (rule.name, str(claim), place(problem.sizes, settings), before)
    what = wanted.described(wanted_by(claim) or wanted.DEFAULT)
    names = [entry_name(name, index) for name, index, _ in entries(arrays.wanted(problem, wanted_by(claim)))]
    if saved not in names:
        raise GradcheckError(f"this case is about the entry {saved}, and its {what} have {_listed(names)}")
    try:
        _, result, truth, field, allowed = compare_on(rule, claim, problem, settings)
    except (RuleFailed, WrongResult, UnsupportedOperation) as error:
        asked = ", ".join(f"{name} {array.shape}" for name, array in arrays.wanted(problem, rule.of).items())
        return Replay(
            Outcome.ERROR, *common, message=f"{error}. The {wanted.described(rule.of)} of the case are {asked}"
        )
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
        shown = wrong[0] if wrong and saved not in wrong else saved
        value, true, gap, allow = judged[shown]
        known = spoken(true.str(20, radius=False), as_fraction(claim, problem, shown, true))
        allowance = f"{allow:.3g}" if allow else "0"
        entry = Entry(shown, repr(value), known, gap.str(6, radius=False), allowance)
    outcome = Outcome.STILL_WRONG if wrong else Outcome.INCONCLUSIVE if undecided else Outcome.FIXED
    return Replay(outcome, *common, entry, tuple(wrong), tuple(undecided), len(judged))


def _distance(entry: Entry) -> str:
    if entry.got in ("nan", "inf", "-inf"):
        return "it is not a number" if entry.got == "nan" else "it is infinite"
    return entry.gap + (f", rounding allows {entry.allowance}" if entry.allowance != "0" else "")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _row(label: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(_one_line(text), _WIDTH - _COLUMN, break_on_hyphens=False) or [""]
    for number, line in enumerate(lines):
        yield f"{'' if number else _one_line(label):<{_COLUMN}}{line}"


def _one_line(text: str) -> str:
    """Return the text on one line, without control characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))
