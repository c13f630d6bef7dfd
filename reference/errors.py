"""The project's error type, and the subclasses that the harness treats differently."""

from __future__ import annotations

from typing import Any


class GradcheckError(Exception):
    """Something that the caller can mend: what came, what was wanted, what to try."""


class UnsupportedOperation(GradcheckError, TypeError):
    """An operation that a number system does not have, named together with that number system."""

    def __init__(self, operation: str, scalar: str, hint: str = "") -> None:
        self.operation, self.scalar, self.hint = operation, scalar, hint
        super().__init__(f"{operation} is not defined on {scalar} scalars{'; ' + hint if hint else ''}")

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.operation, self.scalar, self.hint)


class MixedNumbers(GradcheckError):
    """Numbers of two number systems met, which no single problem has."""

    def __init__(self, *fields: Any) -> None:
        self.fields = fields
        names = " and ".join(str(getattr(field, "name", "float")) for field in fields)
        super().__init__(f"numbers of two problems met: {names} scalars")

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return GradcheckError, (str(self),)  # a number system does not travel


class FloatsWanted(UnsupportedOperation):
    """A number that is no float was to be cast to one, or written into an array of floats."""


class Undecided(UnsupportedOperation):
    """A comparison whose outcome the scalar's value does not settle: refused, never guessed."""


class Inadmissible(GradcheckError):
    """A problem that its network does not admit: a number outside a domain, or a start that the network settles."""


class NoRoot(UnsupportedOperation):
    """A residue that is the square of no other, whose root was asked for: the point is to be drawn again.

    Args:
        scalar: The name of the number system.
        before: The number of distinct residues whose roots were found before it.
    """

    def __init__(self, scalar: str, before: int = 0) -> None:
        self.before = before
        super().__init__("the square root of this residue", scalar, "half of all residues have none")

    def __reduce__(self) -> tuple[type, tuple[str, int]]:  # type: ignore[override]
        return type(self), (self.scalar, self.before)
