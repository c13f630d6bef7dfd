"""Results that were derived before for an equal problem; all rules, and several claims, get the same problems."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from ...reference.networks.state import state_of
from ...reference.problem import Problem
from ...reference.scalars.residues.modular import ModularField

T = TypeVar("T")
_KEPT: OrderedDict[Any, Any] = OrderedDict()
_MOST = 8192


def kept(problem: Problem, what: Hashable, derive: Callable[[], T]) -> T:
    """Return what was derived before for an equal problem, or derive it.

    Args:
        problem: A problem on floats or on residues; on other numbers nothing is kept.
        what: What is derived.
        derive: Derives it from the problem alone.
    """
    numbers = tuple(_numbers(array) for array in problem.arrays().values())
    if None in numbers:
        return derive()
    key = (what, state_of(problem.network), tuple(problem.arrays()), numbers)
    if key not in _KEPT:
        _KEPT[key] = derive()
        while len(_KEPT) > _MOST:
            _KEPT.popitem(last=False)
    return _KEPT[key]  # type: ignore[no-any-return]


def _numbers(array: Any) -> Hashable:
    """Return what two equal arrays have in common and no others; None where equality cannot be told."""
    field = getattr(array, "field", None)
    if field is None:
        return array.shape, array.tobytes()
    return (array.shape, field, *map(int, field.natives(array))) if isinstance(field, ModularField) else None
