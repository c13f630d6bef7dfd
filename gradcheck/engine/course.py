"""How far an audit has come: what its report is made of, and what it takes to go on in another process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ..records import Evidence, Stage, Verdict

PURITY, ORACLES = "purity", "oracles"
"""What an audit does before its claims; neither is the text of a claim."""


@dataclass(frozen=True)
class Loss:
    """A worker that ended before its time: on which claim, at which kind of evidence, and what happened."""

    claim: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Course:
    """What was judged so far. compared: whether the oracles were. blocked: why no claim can be judged, if so.

    pieces: what came of pieces of evidence, as plain data, where they are all that was asked.
    """

    verdicts: tuple[Verdict, ...] = ()
    stages: tuple[Stage, ...] = ()
    planted: tuple[int, int] = (0, 0)
    compared: bool = False
    blocked: str = ""
    losses: tuple[Loss, ...] = ()
    pieces: dict[str, Any] | None = None


class Auditing(Protocol):
    """An audit that goes on step by step. One that pickles can go on in a fresh process.

    waiting: what comes next, PURITY, ORACLES or a claim; empty where all is judged. course: how far it is; one
    that was reached elsewhere can be set. rule_free: whether the step that waits runs no code of the rule's
    author. reaching: called with each kind of evidence before it is gathered. found: called with each claim and a kind
    of evidence on it as soon as that is there; again where a claim is begun anew. notes: what the reader should know.
    sought: what workers lacked and asked to be derived.
    """

    progress: Callable[[str], None]
    reaching: Callable[[str], None]
    found: Callable[[str, Evidence], None]
    course: Course
    notes: list[str]
    sought: set[Any]

    @property
    def waiting(self) -> str: ...

    @property
    def rule_free(self) -> bool: ...

    def advance(self) -> None:
        """Take the step that waits."""

    def give_up(self, loss: Loss) -> None:
        """Take the step that waits by saying that the rule does not let it be taken."""

    def derive(self, wanted: Any) -> None:
        """Make a reference that a worker lacks, and the like, for all workers after it."""
