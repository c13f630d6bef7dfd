"""What a rule changes around it, beyond what it returns: noticed, and undone.

A call happens inside a `Surroundings`. Whatever it did to the process is put back when the call ends, so that
the harness computes as before, and is told apart:

- *faults*, which make other code compute or open something else: NumPy's error state, an attribute of NumPy
  replaced, the current directory; and, told by comparing calls, a random generator set to a state of the rule's
  choice and threads left behind by every call;
- *notes*, which change no number: what it prints or warns, print options, warning filters, the recursion limit,
  variables of the environment replaced, draws from the global random generators, and a pool of threads or a
  first thread left running, as libraries keep them.

A call that imports a module is excused for what the import did; the next one is not. What frameworks keep in
C (their pools of threads, their own generators) is theirs and is not looked at.
"""

from __future__ import annotations

import contextlib
import io
import operator
import os
import pickle
import random
import sys
import threading
import time
import warnings
from dataclasses import dataclass, field
from types import ModuleType, TracebackType
from typing import Any

import numpy as np

_NUMPY: tuple[ModuleType, ...] = (np, np.linalg, np.random)
_GRACE = 0.1
"""Seconds that a thread may take to end by itself after the call; longer is left running."""


@dataclass
class Changes:
    """What one call changed.

    drawn: global generators that moved, each with a fingerprint of the state that it was left in. threads: the
    names of threads left running, pools apart. faults and notes: sentences without their subject.
    """

    printed: str = ""
    warned: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    drawn: dict[str, bytes] = field(default_factory=dict)
    threads: list[str] = field(default_factory=list)


class _Kept(io.StringIO):
    """What a rule prints; that it closes its standard output is no reason to lose it."""

    def close(self) -> None:
        pass


def _silent(kind: str, flag: int) -> None:
    """NumPy calls this for a floating-point error: balls and allowances judge the result, not the flag."""


class Surroundings:
    """A context for one call of a rule; afterwards `changes` says what it changed.

    Inside, what is printed or warned is kept, and whoever asks for input is told that there is none.
    """

    def __init__(self) -> None:
        self.changes = Changes()

    def __enter__(self) -> Surroundings:
        self._modules = len(sys.modules)
        self._attributes = [dict(vars(module)) for module in _NUMPY]
        self._random = _random_states()
        self._folder = _folder()
        self._environment = dict(os.environ)
        self._recursion = sys.getrecursionlimit()
        self._threads = set(threading.enumerate())
        self._options = np.get_printoptions()
        self._printed, self._stdin = _Kept(), sys.stdin
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(contextlib.redirect_stdout(self._printed))
        self._stack.enter_context(contextlib.redirect_stderr(self._printed))
        # A mode that no rule would set, so that any that it sets is seen.
        self._stack.enter_context(np.errstate(all="call", call=_silent))
        self._warned = self._stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("default")
        self._filters = list(warnings.filters)
        sys.stdin = io.StringIO()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        changes, imported = self.changes, len(sys.modules) != self._modules
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._restore_numpy()
            self._restore_folder()
            self._restore_random()
        self._restore_process()
        self._count_threads(imported)
        self._stack.close()
        sys.stdin = self._stdin
        if imported:
            changes.faults.clear()
        changes.printed = self._printed.getvalue()
        changes.warned = [f"{w.category.__name__}: {w.message}" for w in self._warned or ()]

    def _restore_numpy(self) -> None:
        changes = self.changes
        for module, before in zip(_NUMPY, self._attributes, strict=True):
            now = vars(module)
            if now.keys() == before.keys() and all(map(operator.is_, now.values(), before.values())):
                continue
            for name in [name for name, value in before.items() if now.get(name, self) is not value]:
                changes.faults.append(f"replaced {module.__name__}.{name}; call a function of its own instead")
                setattr(module, name, before[name])
        state = np.geterr()
        if set(state.values()) != {"call"}:
            modes = ", ".join(f"{error} to {mode}" for error, mode in state.items() if mode != "call")
            changes.faults.append(f"changed NumPy's error state ({modes}); use `with np.errstate(...)`")
        options = np.get_printoptions()
        if options != self._options:
            changes.notes.append("changed NumPy's print options")
            np.set_printoptions(**self._options)

    def _restore_folder(self) -> None:
        if self._folder and _folder() != self._folder:
            self.changes.faults.append("changed the current directory; open files by absolute paths instead")
            with contextlib.suppress(OSError):
                os.chdir(self._folder)

    def _restore_random(self) -> None:
        after = _random_states()
        for name, (state, mark) in self._random.items():
            if after[name][1] != mark:
                self.changes.drawn[name] = after[name][1]
                _set_random_state(name, state)

    def _restore_process(self) -> None:
        notes = self.changes.notes
        # Variables that are new stay: a package that is imported in the call may rely on them.
        replaced = [name for name, value in self._environment.items() if os.environ.get(name) != value]
        if replaced:
            notes.append(f"changed the environment variable {replaced[0]}")
            os.environ.update({name: self._environment[name] for name in replaced})
        if sys.getrecursionlimit() != self._recursion:
            notes.append(f"changed the recursion limit to {sys.getrecursionlimit()}")
            with contextlib.suppress(RecursionError):
                sys.setrecursionlimit(self._recursion)
        if list(warnings.filters) != self._filters:
            notes.append("changed the warning filters")

    def _count_threads(self, imported: bool) -> None:
        deadline = time.monotonic() + _GRACE
        pools = getattr(sys.modules.get("concurrent.futures.thread"), "_threads_queues", {})
        for thread in set(threading.enumerate()) - self._threads:
            if thread in pools:
                self.changes.notes.append("keeps a pool of threads")
                continue
            with contextlib.suppress(RuntimeError):
                thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive() and not imported:
                self.changes.threads.append(thread.name)


@contextlib.contextmanager
def moved_generators() -> Any:
    """A context in which `move()` advances the global random generators, and `move(n)` puts them where n says.

    They come back as they were.
    """
    states = _random_states()

    def move(to: int | None = None) -> None:
        if to is not None:
            random.seed(to)
            np.random.seed(to)
        random.random()
        np.random.random_sample()

    try:
        yield move
    finally:
        for name, (state, _) in states.items():
            _set_random_state(name, state)


def _random_states() -> dict[str, tuple[Any, bytes]]:
    """The state of each global generator, and a fingerprint of it."""
    states = {"random": random.getstate(), "numpy.random": np.random.get_state(legacy=False)}
    return {name: (state, pickle.dumps(state)) for name, state in states.items()}


def _set_random_state(name: str, state: Any) -> None:
    (random.setstate if name == "random" else np.random.set_state)(state)


def _folder() -> str:
    """The current directory; empty where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return ""
