"""The project's one error type, and those of its kinds that the harness tells apart."""

from __future__ import annotations


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

    def __init__(self, one: str, other: str) -> None:
        self.one, self.other = one, other
        super().__init__(f"expected {one}, of this problem; got {other}, of another one")

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.one, self.other)


class FloatsWanted(UnsupportedOperation):
    """A number that is no float was to be cast to one, or written into an array of floats."""


class Undecided(UnsupportedOperation):
    """A comparison whose outcome the scalar's value does not settle: refused, never guessed."""
