"""Verdict on a claim, with its counterexample; and the stages of an audit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .outcomes import Evidence, Rounding, Status, Strength
from .rendering import renderer


@dataclass(frozen=True)
class Counterexample:
    """A problem on which the claim is false.

    Attributes:
        problem: Sizes, network, and the arrays by name, as nested lists of exact decimal or fraction strings.
        entry: The entry that differs, such as "R[0, 1]".
        expected: Its true value, in decimals.
        got: The value that the rule returned, in decimals.
        gap: The distance of the two, in decimals.
        allowance: The distance that rounding explains, in decimals.
        certified: The reason why the gap is no rounding.
        snippet: A NumPy program that shows it.
        exact: The true value as a fraction; empty where it is irrational.
        replay: The rule, claim, network and weights that `gradcheck replay` needs beyond the problem.
    """

    problem: dict[str, Any]
    entry: str
    expected: str
    got: str
    gap: str
    allowance: str
    certified: str
    snippet: str
    exact: str = ""
    replay: dict[str, Any] = field(default_factory=dict)

    @property
    def true(self) -> str:
        """The true value to print: an integer, a fraction and its decimals, or the decimals alone."""
        return spoken(self.expected, self.exact)

    def to_json(self) -> str:
        """Return the case as JSON text for `gradcheck replay`.

        Raises:
            GradcheckError: The counterexample belongs to no rule that can be named.
        """
        return str(renderer("case_to_json")(self))

    def write(self, path: str | Path) -> Path:
        """Write the case to a .json file and return its path.

        Raises:
            GradcheckError: The file cannot be written, or the counterexample belongs to no rule that can be named.
        """
        return Path(renderer("write_text")(path, self.to_json()))


def spoken(decimals: str, fraction: str) -> str:
    """Return a number to print: an integer, a short fraction with its decimals, or the decimals alone."""
    if not fraction or len(fraction) > 40:
        return decimals
    return f"{fraction} = {decimals}" if "/" in fraction else fraction


@dataclass(frozen=True)
class Unseen:
    """Code of the rule that never ran while its results were compared.

    Attributes:
        file: Name of the file.
        first: Its first line.
        last: Its last line.
        text: What never happened there, such as "never ran".
    """

    file: str
    first: int
    last: int
    text: str

    @property
    def lines(self) -> str:
        """Its lines, such as 41-43."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def __str__(self) -> str:
        return f"{self.file}:{self.lines}: {self.text}"


@dataclass(frozen=True, repr=False)
class Verdict:
    """The judgement of one claim.

    Attributes:
        claim: The claim as printed, such as "truncated(3)".
        status: The outcome.
        strength: The strength of what was shown; NONE unless the status is HOLDS.
        statement: The sentence that was shown.
        evidence: The evidence, strongest first.
        counterexample: A problem on which the claim is false.
        diagnosis: The fault that explains what was seen.
        expected: The reason why the claim was expected to be refuted; empty where it was not.
        unseen: Code of the rule that never ran in a judged comparison, for which the strength is SUPPORTED at most.
        rounding: The rounding that its evidence on floats allowed for; None where no float was compared.
        seconds: Time that workers spent on the claim, summed over them; 0 where it was not measured. Not compared.
    """

    claim: str
    status: Status
    strength: Strength
    statement: str
    evidence: tuple[Evidence, ...] = ()
    counterexample: Counterexample | None = None
    diagnosis: str | None = None
    expected: str = ""
    unseen: tuple[Unseen, ...] = ()
    rounding: Rounding | None = None
    seconds: float = field(default=0.0, compare=False)

    @property
    def word(self) -> str:
        """Public name of the outcome: the strength where the claim holds, else the status."""
        if self.expected and self.status in _EXPECTED:
            return _EXPECTED[self.status]
        return self.strength.name if self.status is Status.HOLDS and self.strength else self.status.label

    @property
    def counts_as(self) -> Status:
        """Status towards the whole: an expected refutation counts as a pass, its absence as a refutation."""
        if self.expected and self.status in _EXPECTED:
            return Status.HOLDS if self.status is Status.REFUTED else Status.REFUTED
        return self.status

    @property
    def remark(self) -> str:
        """The expectation, and the remedy where it was not met; empty where nothing was expected."""
        if self.expected and self.status is Status.HOLDS:
            return f"no longer refuted, which was expected: {self.expected}. Remove the expectation"
        return f"expected to be refuted: {self.expected}" if self.expected else ""

    def __repr__(self) -> str:
        return f"<Verdict {self.claim}: {self.word}>"


_EXPECTED = {Status.REFUTED: "REFUTED (expected)", Status.HOLDS: "HOLDS (unexpected)"}


@dataclass(frozen=True)
class Stage:
    """One step of an audit, in order: purity, liveness, oracle agreement, claims, discrimination."""

    name: str
    status: Status
    statement: str
