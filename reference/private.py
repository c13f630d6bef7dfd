"""Private names of other packages that gradcheck depends on, all of them.

Each may vanish with any release. Where one has, its function answers as if there were nothing to see, and
`tests/unit/test_private.py` fails and names it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

import numpy as np

NO_VALUE: Any = getattr(np, "_NoValue", None)
"""NumPy's mark for an argument that was left out, such as `initial` of a sum; seen by `__array_ufunc__`."""


def jax_in_use() -> bool:
    """Return whether JAX has started a backend in this process; its threads do not survive a fork. Imports nothing."""
    return bool(getattr(sys.modules.get("jax._src.xla_bridge"), "_backends", None))


def environment() -> dict[Any, Any]:
    """Return a copy of the variables of the environment, undecoded where that is possible: far cheaper."""
    return dict(getattr(os.environ, "_data", os.environ))


_WORDS = 624
"""Words of 32 bits in the key of MT19937, after which comes the place of the next; Matsumoto and Nishimura 1998."""


def key_of_generator() -> bytes | None:
    """Return key and place of NumPy's global generator, far cheaper than its state; None if it is another kind.

    `ctypes.state_address` is public; what is found there is not documented.
    """
    generator: Any = np.random.get_bit_generator()  # type: ignore[attr-defined]
    if not _VIEWS or _VIEWS[0][0] is not generator:
        if type(generator) is not np.random.MT19937:
            return None
        _VIEWS[:] = [(generator, (ctypes.c_uint32 * (_WORDS + 1)).from_address(generator.ctypes.state_address))]
    return bytes(_VIEWS[0][1])


_VIEWS: list[tuple[Any, Any]] = []
"""The generator that was read last, and a view of its memory: a fresh one each time is an event of Python's audit."""


def executor_width(executor: Any) -> int:
    """Return how many calls an executor of `concurrent.futures` runs at a time; 0 if it does not say."""
    return int(getattr(executor, "_max_workers", 0) or 0)


def threads_of_pools() -> set[Any]:
    """Return the threads that pools of `concurrent.futures` keep. Imports nothing."""
    return set(getattr(sys.modules.get("concurrent.futures.thread"), "_threads_queues", ()))


def hide_our_constants() -> None:
    """Let Hypothesis draw none of the constants in our own files, which it takes for the user's in a checkout.

    It would read them all once more in each process, and draw other examples than where gradcheck is installed.
    """
    seen = getattr(sys.modules.get("hypothesis.internal.conjecture.providers"), "_seen_modules", None)
    root = __name__.partition(".")[0]
    if isinstance(seen, set):
        seen.update(id(module) for name, module in list(sys.modules.items()) if name.partition(".")[0] == root)
