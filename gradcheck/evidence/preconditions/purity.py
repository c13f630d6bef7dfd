"""Purity: a rule is a function of its problem, without side effects. Every rule claims it.

A pure rule returns the right keys, shapes and dtype, and finite values. It leaves its inputs alone, shares no memory
with them, keeps nothing between calls, and changes nothing that other code depends on.
`gradcheck.rules.side_effects` lists the changes that are faults, and those that are only noted, such as output. All of
them are undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...problems.lively import lively_problem
from ...records import Cause, Evidence, Status, Strength
from ...reference import arrays
from ...reference.claims import Claim, Pure, Settings
from ...reference.errors import UnsupportedOperation
from ...reference.networks.base import Sizes
from ...reference.problem import Problem
from ...reference.typing import Gradient
from ...reference.wanted import Of
from ...rules.adapt import WrongResult, declared_claims
from ...rules.call import Run, run
from ...rules.failures import KeptNumbers, RuleFailed
from ...rules.side_effects import Changes, moved_generators
from ..base import Case, Finding, Kind, Plan, Progress, Witness, whole
from ..sizes import place, possible, spread
from . import histories, storage, threads
from .calls import KeepsState, difference

KIND = "purity"
SIZES = (Sizes(5, 4, 2, 3), Sizes(3, 6, 3, 2), Sizes(1, 1, 1, 1), Sizes(2, 1, 2, 1), Sizes(6, 3, 1, 2))


DRAWS = 40
"""The number of calls to compare, each after another seed, for a rule that draws from a global generator."""


class Impure(Exception):
    """Raised where a rule is impure. The message is for its author.

    Attributes:
        cause: The reason why no other claim can be judged, or None.
    """

    def __init__(self, message: str, cause: Cause | None = None) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True)
class Purity(Kind):
    """The rule on float64 problems, in one piece, so that state kept from one size shows at the next.

    Attributes:
        sizes: Sizes of the problems.
        claims: The rule's claims about its results; none where histories are left out.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.SUPPORTED

    sizes: Sequence[Sizes] = SIZES
    claims: Sequence[Claim] = ()

    def plan(self, case: Case) -> Plan:
        return whole(KIND, lambda progress: _watch(case, self.sizes, self.claims, progress))


def _watch(case: Case, sizes: Sequence[Sizes], claims: Sequence[Claim], progress: Progress) -> Finding:
    printed, formats, runs, notes = "", set[str](), 0, dict[str, None]()
    earlier: list[Problem] = []
    for size in possible(case.network, sizes):
        for settings in spread(case.rule.settings(size.T), 4):
            progress(place(size, settings))
            problem = lively_problem(case.network, size, case.seed, weighted=case.weighted)
            try:
                seen = _check(case, problem, settings, notes)
            except RuleFailed as error:
                where = {"where": error.where} if error.where else {}
                return Finding(
                    Evidence(KIND, Status.ERROR, Strength.NONE, str(error), details=where, cause=Cause.FAILED)
                )
            except KeptNumbers as error:
                return Finding(Evidence(KIND, Status.REFUTED, Strength.NONE, str(error), cause=error.cause))
            except UnsupportedOperation as error:
                text = f"{case.rule.name} does not run on floats: {error}"
                return Finding(Evidence(KIND, Status.ERROR, Strength.NONE, text, cause=Cause.FAILED))
            except WrongResult as error:
                text = f"{error}{_recalled(error, problem, earlier, case.rule.of)}"
                return Finding(Evidence(KIND, Status.REFUTED, Strength.NONE, text, cause=Cause.MALFORMED))
            except Impure as error:
                at = f" (at {place(size, settings)})"
                return Finding(
                    Evidence(KIND, Status.REFUTED, Strength.NONE, f"{error}{at}", cause=error.cause),
                    Witness(case.network, size, settings, str(error), problem),
                )
            printed = printed or seen.changes.printed
            earlier.append(problem)
            formats |= {array.dtype.name for array in seen.gradient.values()} - {"float64"}
            runs += 1
    try:
        if claims:
            progress("calls in a row")
            histories.check(case, claims)
        if case.rule.reseeded:
            text = "may draw from global generators, seeded before each call, so no calls were made at once"
            notes[text] = None
        elif _promises_threads(case):
            progress("calls at once")
            notes.update(dict.fromkeys(threads.check(case)))
        else:
            notes["promises one call at a time, so none were made at once"] = None
        progress("arrays that are stored in other ways")
        notes.update(dict.fromkeys(storage.check(case, claims)))
    except (KeepsState, KeptNumbers, storage.DependsOnStorage) as error:
        return Finding(Evidence(KIND, Status.REFUTED, Strength.NONE, str(error), cause=error.cause))
    except WrongResult as error:
        return Finding(Evidence(KIND, Status.REFUTED, Strength.NONE, str(error), cause=Cause.MALFORMED))
    except RuleFailed as error:
        return Finding(Evidence(KIND, Status.ERROR, Strength.NONE, str(error), cause=Cause.FAILED))
    first = printed.strip().splitlines()[:1]
    format_note = (
        f"; it returns {', '.join(sorted(formats))} for float64 and is judged at that precision" if formats else ""
    )
    note = f"; it printed, first {first[0][:60]!r} (kept from the terminal)" if first else ""
    note += "".join(f"; it {each}" for each in notes)
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.SUPPORTED,
            f"right keys, shapes and dtype, finite, inputs untouched, same result when called again{format_note}{note}",
            scope=f"{runs} problems at {len(sizes)} sizes{', and calls in a row' if claims else ''}",
            blind="inputs that were not tried",
            details={"printed": printed.strip()[:2000]} if first else {},
        )
    )


def _promises_threads(case: Case) -> bool:
    """Return False for a rule that declares `Pure(threads=False)`."""
    claims = (*case.rule.declaration.claims, *declared_claims(case.rule.target))
    return all(claim.threads for claim in claims if isinstance(claim, Pure))


def _recalled(error: WrongResult, problem: Problem, earlier: Sequence[Problem], of: Of) -> str:
    """Return a hint for a result with the shapes of an earlier problem; empty if there is none."""
    if error.shapes == _shapes(problem, of):
        return ""
    before = next((p for p in earlier if _shapes(p, of) == error.shapes), None)
    if before is None:
        return ""
    return (
        f"; these are the shapes of an earlier problem, {before.sizes}: do not keep results from one call to the next, "
        "nor by the id of an object, which Python reuses"
    )


def _shapes(problem: Problem, of: Of) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in arrays.wanted(problem, of).items()}


def _check(case: Case, problem: Problem, settings: Settings, notes: dict[str, None]) -> Run:
    given = problem.copy()
    first = run(case.rule, given, settings)
    _look_around(first.changes, notes)
    if list(given.parameters) != list(problem.parameters):
        raise Impure("it changed the keys of problem.parameters; change a copy of the dict")
    for name, array in problem.arrays().items():
        if not np.array_equal(given.arrays()[name], array):
            raise Impure(f"it changed its input {name}; work on a copy")
    for key, array in first.gradient.items():
        if array.dtype.kind != "f":
            raise Impure(f"its {key} has dtype {array.dtype}; wanted {problem.arrays()[key].dtype}")
        if not np.isfinite(array).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise Impure(f"its {key} holds {array[where]} at {list(where)}, where the gradient is finite")
        for name, source in given.arrays().items():
            if np.shares_memory(array, source):
                raise Impure(f"its {key} is a view of its input {name}; return a copy")
    kept = {key: array.copy() for key, array in first.gradient.items()}
    other = lively_problem(case.network, problem.sizes, case.seed + 1, weighted=case.weighted)
    between = run(case.rule, other, settings)
    _look_around(between.changes, notes)
    _reject_shared(first, between)
    with moved_generators() as move:
        move()  # draws differ from those of the first call
        again = run(case.rule, problem.copy(), settings)
    _look_around(again.changes, notes)
    calls = [first.changes, between.changes, again.changes]
    _reject_kept(calls, notes)
    _reject_other(again, kept, problem)
    if any(changes.drawn for changes in calls):
        with moved_generators() as move:
            for number in range(DRAWS):
                move(1000 * case.seed + number)
                _reject_other(run(case.rule, problem.copy(), settings), kept, problem)
    return first


def _reject_other(again: Run, kept: Gradient, problem: Problem) -> None:
    if text := difference(again.gradient, kept, problem):
        hint = "; a stochastic rule draws from its second argument, noise, and from nothing else"
        raise Impure(f"{text}: it keeps state, or draws random numbers{hint}", Cause.KEEPS_STATE)


def _look_around(changes: Changes, notes: dict[str, None]) -> None:
    if changes.faults:
        raise Impure(f"it {changes.faults[0]}")
    notes.update(dict.fromkeys(changes.notes))
    if changes.warned and not any(note.startswith("warned") for note in notes):
        notes[f"warned, first {changes.warned[0][:80]!r} (kept from the terminal)"] = None


def _reject_kept(calls: list[Changes], notes: dict[str, None]) -> None:
    """Raise `Impure` for generators that end in the same state in every call, and for threads left by every call."""
    first, *_, again = calls
    for name, mark in first.drawn.items():
        if again.drawn.get(name) == mark:
            raise Impure(f"it seeds the global generator of {name}; draw from a generator of its own instead")
    for name in dict.fromkeys(name for changes in calls for name in changes.drawn):
        notes[f"draws from the global generator of {name}, without effect on the result of {DRAWS} calls"] = None
    left = [changes.threads for changes in calls if changes.threads]
    if len(left) > 1:
        raise Impure(f"it leaves a thread running after each call ({left[0][0]}); join it before returning")
    if left:
        notes[f"left a thread running ({left[0][0]}), though not after each call"] = None


def _reject_shared(first: Run, second: Run) -> None:
    for key, array in first.gradient.items():
        for other_key, other in second.gradient.items():
            if np.shares_memory(array, other):
                text = f"its {key} shares memory with the {other_key} of the next call; return fresh arrays"
                raise Impure(text, Cause.KEEPS_STATE)
