"""Storage: equal numbers that lie in memory in other ways, or under keys in another order.

A gradient is a function of the numbers. Code that reads memory (`.data`, ctypes, `ravel("K")`, `.base`), that goes by
the identity of arrays, or that pairs parameters by their order is right for new arrays in C order only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ...problems.lively import lively_problem
from ...records import Cause
from ...reference.claims import Claim, Settings
from ...reference.errors import GradcheckError
from ...reference.networks.base import Capabilities, Sizes, TargetDomain, ask
from ...reference.problem import Problem
from ...reference.typing import Array
from ...rules.adapt import WrongResult
from ...rules.call import run
from ...rules.failures import cut, shown_error
from ..base import Case
from ..sizes import spread
from .calls import KeepsState, NoTruth, difference, right

SIZE = Sizes(3, 3, 3, 3)
"""Size of the problems. All shapes are alike, so that arrays can stand for one another."""
FOREIGN = "arrays in the other byte order"
"""Arrays that torch and JAX refuse, which is not worth a note."""


class DependsOnStorage(GradcheckError):
    """Error for a rule whose result depends on more than the numbers of its problem; the message is for its author."""

    cause = Cause.STORAGE


def check(case: Case, claims: Sequence[Claim]) -> list[str]:
    """Compare results on problems that are stored in other ways with those on new arrays in C order.

    Results that differ by more than rounding are compared with the truth too, if that is known.

    Args:
        case: The rule on one network.
        claims: Its claims about results.

    Returns:
        Notes on ways of storing at which the rule fails: code may refuse them.

    Raises:
        DependsOnStorage: A result depends on how the arrays are stored.
        KeepsState: A result depends on earlier calls.
    """
    settings = spread(case.rule.settings(SIZE.T), 1)[0]
    notes: list[str] = []
    problem = lively_problem(case.network, SIZE, case.seed, weighted=case.weighted)
    for text, stored in stored_otherwise(problem):
        usual = _usual(stored, list(problem.parameters))
        wanted = run(case.rule, usual.copy(), settings).gradient
        try:
            result = run(case.rule, stored, settings).gradient
        except WrongResult as error:
            raise DependsOnStorage(f"with {text}, {error}") from error
        except GradcheckError as error:
            if text != FOREIGN:
                notes.append(f"fails with {text} ({cut(shown_error(error.__cause__ or error), 80)})")
            continue
        for name, array in usual.arrays().items():
            if not np.array_equal(stored.arrays()[name], array):
                raise DependsOnStorage(f"it changes its input {name} with {text}; work on a copy")
        differs = difference(result, wanted, usual)
        if differs and (kept := difference(run(case.rule, usual.copy(), settings).gradient, wanted, usual)):
            raise KeepsState(f"{kept}: it keeps state")
        if differs and _wrong(case, claims, usual, stored, settings):
            raise DependsOnStorage(f"{differs}, of which one has {text}; go by the numbers, not by how they are stored")
    return notes


def _usual(stored: Problem, names: Sequence[str]) -> Problem:
    """Return the problem on new arrays in C order, its parameters in this order."""
    usual = stored.map(lambda array: np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))
    return usual.replace(parameters={name: usual.parameters[name] for name in names})


def _wrong(case: Case, claims: Sequence[Claim], usual: Problem, stored: Problem, settings: Settings) -> bool:
    """Return True if the result is wrong for the way of storing alone, as far as a claim says what is right.

    A result that is wrong however arrays are stored, such as one of single precision, is for the claim to judge.
    """
    with contextlib.suppress(NoTruth):
        for claim in claims[:1]:
            bound = claim.bind(settings)
            if right(case, bound, usual, stored, settings):
                return False
            return right(case, bound, usual, usual.copy(), settings)
    return True


def stored_otherwise(problem: Problem) -> Iterator[tuple[str, Problem]]:
    """Yield problems that are stored in other ways, each with a description.

    Args:
        problem: A float problem. The first ones have its numbers.
    """
    for text, change in _CHANGES.items():
        yield text, problem.map(change)
    yield "arrays that are parts of one", problem.map(_parts_of_one(problem))
    names = list(problem.parameters)
    if len(names) > 1:
        turned = {name: problem.parameters[name] for name in (*names[1:], names[0])}
        yield f"parameters in the order {', '.join(turned)}", problem.replace(parameters=turned)
    for text, share in (("one array for parameters of one shape", _shared_parameters), *_SHARED_TARGETS):
        with contextlib.suppress(GradcheckError):  # of a network that does not allow these numbers
            if (shared := share(problem)) is not None:
                yield text, shared


def _every_other(array: Array) -> Array:
    """Return a view of every other entry of a larger array, along each axis."""
    large = np.full([2 * n for n in array.shape], 7.25)
    every_other: Any = (*(slice(None, None, 2) for _ in array.shape), ...)  # a view even of shape ()
    view: Array = large[every_other]
    view[...] = array
    return view


def _reversed(array: Array) -> Array:
    """Return a view with negative strides."""
    back: Any = (*(slice(None, None, -1) for _ in array.shape), ...)
    turned: Array = array[back].copy()[back]
    return turned


def _read_only(array: Array) -> Array:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _foreign(array: Array) -> Array:
    """Return an array in the byte order of other machines."""
    return array.astype(array.dtype.newbyteorder())


def _unaligned(array: Array) -> Array:
    """Return an array that begins at an odd address."""
    memory = np.zeros(array.nbytes + 1, dtype=np.uint8)
    view: Array = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


_CHANGES: dict[str, Callable[[Array], Array]] = {
    "arrays in Fortran order": lambda array: np.array(array, order="F"),
    "arrays that are not contiguous": _every_other,
    "arrays with negative strides": _reversed,
    "read-only arrays": _read_only,
    FOREIGN: _foreign,
    "arrays that are not aligned": _unaligned,
}


def _parts_of_one(problem: Problem) -> Callable[[Array], Array]:
    """Return a function that moves each array in turn into one piece of memory."""
    memory, used = np.zeros(2 * sum(array.size for array in problem.arrays().values())), 0

    def move(array: Array) -> Array:
        nonlocal used
        part: Array = memory[used : used + array.size].reshape(array.shape)
        used += array.size
        part[...] = array
        return part

    return move


def _shared_parameters(problem: Problem) -> Problem | None:
    """Return the problem with one array for all parameters of one shape, as of tied weights."""
    first: dict[tuple[int, ...], Array] = {}
    parameters = {name: first.setdefault(array.shape, array) for name, array in problem.parameters.items()}
    return problem.replace(parameters=parameters) if len(first) < len(parameters) else None


def _same_targets(problem: Problem) -> Problem | None:
    """Return the problem with its inputs as targets, as of an autoencoder."""
    return problem.replace(targets=problem.inputs) if _free(problem) else None


def _next_inputs(problem: Problem) -> Problem | None:
    """Return the problem with each next input as target, all views of one array."""
    rows = np.concatenate([problem.inputs, problem.targets[-1:]]) if _free(problem) else None
    return None if rows is None else problem.replace(inputs=rows[:-1], targets=rows[1:])


def _repeated(problem: Problem) -> Problem | None:
    """Return the problem with one row for the inputs of all steps, and one for the targets."""
    one_row = {"inputs": np.broadcast_to(problem.inputs[:1], problem.inputs.shape)}
    if _free(problem):
        one_row["targets"] = np.broadcast_to(problem.targets[:1], problem.targets.shape)
    return problem.replace(**one_row)


def _free(problem: Problem) -> bool:
    real = ask(problem.network, Capabilities.target_domain) is TargetDomain.REAL
    return real and problem.inputs.shape == problem.targets.shape


_SHARED_TARGETS: tuple[tuple[str, Callable[[Problem], Problem | None]], ...] = (
    ("one array for inputs and targets", _same_targets),
    ("targets that are views of the next inputs", _next_inputs),
    ("one row for all steps", _repeated),
)
