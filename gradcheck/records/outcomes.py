"""Outcomes and evidence."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any


class Status(enum.Enum):
    """Outcome of a claim. The value tells the reader what to make of it."""

    HOLDS = "the claim holds as stated"
    REFUTED = "the claim is false; see the counterexample"
    INCONCLUSIVE = "neither shown nor refuted; see the evidence for what would settle it"
    NOT_RUN = "not judged; see the reason"
    ERROR = "the rule failed while it was judged; see the message"

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")


class Strength(enum.IntEnum):
    """Strength of what was shown, strongest highest.

    EXACT is a grade of evidence (arithmetic without rounding) and has nothing to do with the claim `Exact`; texts for
    readers print it as ROUNDING-FREE.
    """

    NONE = 0
    SUPPORTED = 1
    CERTIFIED = 2
    EXACT = 3
    PROVED = 4


class Covers(enum.Enum):
    """The networks that evidence speaks for."""

    NETWORK = "the network on which it was gathered"
    KIND = "every network of that kind: activation, output and loss were left undefined"


class Lengths(enum.Enum):
    """The lengths of sequences that evidence speaks for."""

    SIZES = "the lengths in its scope"
    EVERY = "every T, by induction over the steps"


class Rounding(enum.Enum):
    """The rounding that float evidence allowed for."""

    ENTRYWISE = "each entry is within what rounding does to it"
    NORMWISE = "each entry is within what rounding does to the largest entry of its array"


class Cause(enum.Enum):
    """The reason why evidence is missing, or why a rule cannot be judged."""

    TIMEOUT = "a call of the rule did not return in time"
    MEMORY = "the rule used up its memory"
    CRASH = "the rule's process was ended by a signal"
    EXIT = "the rule ended its own process"
    CHANNEL = "the rule closed, or wrote into, the channel of its results"
    FAILED = "the rule raised an error"
    MALFORMED = "the rule returned something that is no gradient"
    KEEPS_STATE = "the rule's result depends on earlier calls"
    STORAGE = "the rule's result depends on how its arrays are stored"
    FLOATS_ONLY = "the rule's code makes floats of other numbers"
    COMPARES = "the rule's code compares values, which only numbers with values can do"


NO_FUNCTION = frozenset({Cause.KEEPS_STATE, Cause.STORAGE})
"""Causes that say that the rule is no function of its problem's numbers."""
TOO_MUCH = frozenset({Cause.TIMEOUT, Cause.MEMORY})
"""Causes that say a problem was too large for the rule, not that the rule is wrong on it."""


@dataclass(frozen=True)
class Evidence:
    """One way of knowing, applied to one claim.

    Attributes:
        kind: The way of knowing: formal, modular, enclosure, ladder, float64, purity, ...
        status: The outcome.
        strength: The strength of what was shown; NONE unless the status is HOLDS.
        statement: The sentence that was shown.
        scope: Sizes, networks and settings that it was shown for.
        blind: Faults that it could not have seen.
        details: Numbers for the report, plain values only.
        covers: The networks that it speaks for.
        cause: The reason why it is missing, or why the rule cannot be judged; None where neither is so.
        rounding: The rounding that it allowed for; None where nothing was rounded.
        lengths: The lengths of sequences that it speaks for.
    """

    kind: str
    status: Status
    strength: Strength
    statement: str
    scope: str = ""
    blind: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    covers: Covers = Covers.NETWORK
    cause: Cause | None = None
    rounding: Rounding | None = None
    lengths: Lengths = Lengths.SIZES
