"""Searches by Hypothesis that leave no files behind and stand rules whose answers change.

Hypothesis reads its defaults from the profile that the caller loaded, and keeps files in the caller's folder. A search
here states every setting, and keeps what Hypothesis stores in a temporary folder.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, configuration
from hypothesis import strategies as st

from ..reference.private import hide_our_constants

Example = TypeVar("Example")
Seen = TypeVar("Seen")

_HOME = "__hypothesis_home_directory"
"""Hypothesis's name for the folder that was set. It offers no way to read that."""


@dataclass(frozen=True)
class Hit(Generic[Seen]):
    """Result of a search.

    Attributes:
        seen: The result of `examine` on the smallest example.
        reproducible: True if that example gave a result again when it was tried again.
    """

    seen: Seen
    reproducible: bool


def search(
    strategy: st.SearchStrategy[Example],
    examine: Callable[[Example], Seen | None],
    *,
    examples: int,
    seed: int | None = None,
) -> Hit[Seen] | None:
    """Return the result of `examine` on the smallest example for which it gives one, or None.

    Args:
        strategy: The examples.
        examine: Takes an example, and returns a result or None.
        examples: The number of examples to draw before shrinking.
        seed: Seed of the draws; without one, each search draws the same.

    Returns:
        The last result, marked as reproducible if the smallest example gave one again. None if there was no result.

    Raises:
        Exception: The first error of `examine`, if there was no result before it. No example is examined after it.
    """
    seen: list[Seen] = []
    raised: list[Exception] = []

    def shows(example: Example) -> bool:
        if raised:
            return False
        try:
            result = examine(example)
        except Exception as error:  # raised again below: Hypothesis would shrink it
            raised.append(error)
            return False
        if result is not None:
            seen.append(result)
        return result is not None

    smallest: list[Example] = []
    hide_our_constants()
    # An answer that changed is reported by an error, some by a group of errors.
    with no_files(), contextlib.suppress(hypothesis.errors.NoSuchExample, hypothesis.errors.Flaky):
        smallest.append(
            hypothesis.find(
                strategy,
                shows,
                settings=own_settings(examples),
                random=None if seed is None else random.Random(seed),
            )
        )
    if not seen:
        if raised:
            raise raised[0]
        return None
    again = bool(smallest) and not raised and shows(smallest[0])
    return Hit(seen[-1], again)


def own_settings(examples: int) -> hypothesis.settings:
    """Return settings that the loaded profile does not influence."""
    return hypothesis.settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        verbosity=Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink),
        stateful_step_count=50,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        deadline=None,
        print_blob=False,
        backend="hypothesis",
    )


_LOCK = threading.Lock()
_INSIDE = 0
_BEFORE: object = None
_FOLDER: tempfile.TemporaryDirectory[str] | None = None


@contextlib.contextmanager
def no_files() -> Iterator[None]:
    """Direct the files of Hypothesis to a temporary folder until the last search in this process ends."""
    global _INSIDE, _BEFORE, _FOLDER
    with _LOCK:
        if _INSIDE == 0:
            _BEFORE = vars(configuration).get(_HOME)
            _FOLDER = tempfile.TemporaryDirectory(prefix="gradcheck-search-", ignore_cleanup_errors=True)
            configuration.set_hypothesis_home_dir(_FOLDER.name)
        _INSIDE += 1
    try:
        yield
    finally:
        with _LOCK:
            _INSIDE -= 1
            if _INSIDE == 0:
                configuration.set_hypothesis_home_dir(_BEFORE)  # type: ignore[arg-type]
                if _FOLDER is not None:
                    _FOLDER.cleanup()
                _FOLDER = None
