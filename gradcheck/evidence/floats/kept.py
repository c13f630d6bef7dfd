"""Results that were derived before for an equal problem; all rules, and several claims, get the same problems."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from ...reference.networks.state import state_of
from ...reference.problem import Problem

T = TypeVar("T")
_KEPT: OrderedDict[Any, Any] = OrderedDict()
_MOST = 8192


def kept(problem: Problem, what: Hashable, derive: Callable[[], T]) -> T:
    """Return what was derived before for an equal problem, or derive it.

    Args:
        problem: A float problem.
        what: What is derived.
        derive: Derives it from the problem alone.
    """
    arrays = tuple((name, array.shape, array.tobytes()) for name, array in problem.arrays().items())
    key = (what, state_of(problem.network), arrays)
    if key not in _KEPT:
        _KEPT[key] = derive()
        while len(_KEPT) > _MOST:
            _KEPT.popitem(last=False)
    return _KEPT[key]  # type: ignore[no-any-return]
