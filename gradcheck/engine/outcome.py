"""Outcomes of tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..records import Cause


class HarnessFailed(Exception):
    """The harness itself failed in a worker; the message is the worker's traceback."""


@dataclass(frozen=True)
class Done:
    """A task's result, as plain data.

    Attributes:
        note: what the reader of the report should know of how the task was performed, or an empty string.
    """

    result: Mapping[str, Any]
    note: str = ""


@dataclass(frozen=True)
class Failed:
    """A task that the rule, or its claim, does not let be performed; the message is for the rule's author."""

    message: str
    note: str = ""


@dataclass(frozen=True)
class Lost:
    """A task whose worker did not return it."""

    cause: Cause
    reason: str


Outcome: TypeAlias = Done | Failed | Lost
