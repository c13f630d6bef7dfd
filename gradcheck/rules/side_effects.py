"""Side effects of a rule's call: found, recorded and undone.

A call runs inside a `SideEffects` context. When it ends, the process is restored, so that the harness computes as
before, and the changes are recorded:

- *faults* change what other code computes or opens: NumPy's error state; a replaced attribute of NumPy, of the
  builtins or of some modules of the standard library; a module removed from `sys.modules`; the current directory. Two
  more are found by comparing calls: a random generator set to a fixed state, and threads left behind by every call.
- *notes* change no number: output, warnings, print options, warning filters, the recursion limit, environment
  variables, signal handlers, timers, hooks, draws from the global random generators, and a pool of threads or a first
  thread left running, as libraries keep them.

Faults of a call that imports a module are excused if they were undone; those of the next call are not. State that
frameworks keep in C (pools of threads, generators of their own) is not examined.
"""

from __future__ import annotations

import builtins
import contextlib
import decimal
import gc
import io
import locale
import math
import operator
import os
import pickle
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, TracebackType
from typing import Any

import numpy as np
import numpy.ma  # noqa: F401 - NumPy loads it late, which would count as an import by the rule

from ..reference.private import environment, threads_of_pools
from .snapshot import Names, random_states, same_state, set_random_state

_WATCHED: tuple[ModuleType, ...] = (np, np.linalg, np.random, math, operator, os, random, time)
"""Modules whose attributes a rule must not replace."""
_BUILTINS = vars(builtins)
_GRACE = 0.1
"""Seconds in which a thread may end after the call. Otherwise it counts as left running."""
MOST_KEPT = 2**16
"""Bytes kept of a call's output."""
_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGUSR1", "SIGUSR2", "SIGCHLD")
    if hasattr(signal, name)
)
_MOST_SIGNALS = 100
"""Signals that may arrive while handlers are installed."""
_HOOKS = (
    (sys, "excepthook"), (sys, "unraisablehook"), (sys, "displayhook"), (sys, "breakpointhook"),
    (threading, "excepthook"),
)  # fmt: skip
_PROCESS_WIDE: tuple[tuple[str, Callable[[], Any], Callable[[Any], Any]], ...] = (
    ("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    ("the switch interval", sys.getswitchinterval, sys.setswitchinterval),
    ("the limit on digits of integers", sys.get_int_max_str_digits, sys.set_int_max_str_digits),
    ("the trace function", sys.gettrace, sys.settrace),
    ("the profile function", sys.getprofile, sys.setprofile),
    ("the garbage collector", gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
    ("the locale", lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)),
    ("the decimal context", lambda: repr(decimal.getcontext()), lambda _: None),
)
"""State that influences no result of ours: its name, a function that reads it, and one that sets it."""


@dataclass
class Changes:
    """Side effects of one call.

    Attributes:
        printed: The beginning of its output.
        warned: Its warnings.
        faults: Changes that a rule must not make; sentences without their subject.
        notes: Other changes.
        drawn: Global generators that moved, with a fingerprint of the final state of each.
        threads: Names of threads left running, without pools.
    """

    printed: str = ""
    warned: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    drawn: dict[str, bytes] = field(default_factory=dict)
    threads: list[str] = field(default_factory=list)


# Streams stay open, so that output is kept if a rule closes its standard output. A function in C: Python closes streams
# that it collects, and drops what a signal handler raises in Python code that it runs then.
_stay_open = staticmethod(bool)


class _Bytes(io.RawIOBase):
    """Stream that keeps the beginning of what is written, and is empty to readers."""

    def __init__(self) -> None:
        self.kept, self.total = bytearray(), 0
        self._descriptor: int | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return 0

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.total += view.nbytes
        if len(self.kept) < MOST_KEPT:
            self.kept += view[: MOST_KEPT - len(self.kept)]
        return view.nbytes

    def fileno(self) -> int:
        """Return a descriptor for processes that the rule starts. Their output is not kept."""
        if self._descriptor is None:
            self._descriptor = os.open(os.devnull, os.O_RDWR)
        return self._descriptor

    def release(self) -> None:
        """Close the descriptor, if one was asked for."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # the rule may have closed it
                os.close(self._descriptor)
            self._descriptor = None

    close = _stay_open  # type: ignore[assignment]


class _Text(io.TextIOWrapper):
    """Standard output, error or input of a rule."""

    close = _stay_open  # type: ignore[assignment]


def _stream(raw: _Bytes) -> _Text:
    return _Text(raw, encoding="utf-8", errors="backslashreplace", write_through=True)  # type: ignore[arg-type]


def _silent(kind: str, flag: int) -> None:
    """Ignore a floating-point error of NumPy: balls and allowances judge the result, not the flag."""


def shown(value: object, most: int = 200) -> str:
    """Return the first characters of a value's text, or a placeholder if reading it raises an error."""
    try:
        return str(value)[:most]
    except BaseException:
        return "(it cannot be shown)"


class SideEffects:
    """Context manager for one call of a rule, which records and undoes its side effects.

    Inside, output and warnings are kept, and standard input is empty. Signal handlers keep working. Their errors are
    recorded apart, since they are not the rule's: see `reraise_outside`. While the context itself works, which is until
    `begin` and from the end on, they are not raised, so that none interrupts it.

    Attributes:
        changes: The side effects, after the call.
        outside: The error of a signal handler during the call, or None.
        watching: True while errors of signal handlers are recorded.
    """

    def __init__(self) -> None:
        self.changes = Changes()
        self.outside: BaseException | None = None
        self.watching = False
        self._working = True
        self._same = self._settled = False

    def __enter__(self) -> SideEffects:
        self._handlers = self._wrapped_handlers()
        self._install({number: now for number, (before, now) in self._handlers.items() if before is not now})
        self.watching = True
        self._modules, self._loaded, self._path = sys.modules, Names(sys.modules), list(sys.path)
        self._builtins = dict(_BUILTINS)
        self._attributes = [Names(vars(module)) for module in _WATCHED]
        self._hooks = [getattr(module, name) for module, name in _HOOKS]
        self._process = [get() for _, get, _ in _PROCESS_WIDE]
        self._decimal = decimal.getcontext().copy()
        self._precision = _precisions()
        self._random = random_states()
        self._folder = _folder()
        self._environment = environment()
        self._threads = set(threading.enumerate())
        self._options = np.get_printoptions()
        self._written, self._nothing, self._stdin = _Bytes(), _Bytes(), sys.stdin
        self._stack = contextlib.ExitStack()
        output = _stream(self._written)
        self._stack.enter_context(contextlib.redirect_stdout(output))
        self._stack.enter_context(contextlib.redirect_stderr(output))
        # No rule would set this mode, so any mode that a rule sets is seen.
        self._stack.enter_context(np.errstate(all="call", call=_silent))
        self._warned = self._stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("default")
        self._filters = list(warnings.filters)
        sys.stdin = _stream(self._nothing)
        self._timers = [(each, signal.getitimer(each), time.monotonic()) for each in _timers()]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._working = True
        same = self._same if self._settled else self.restore_language()
        if list(warnings.filters) != self._filters:
            self.changes.notes.append("changed the warning filters")
        imported = not same and bool(set(sys.modules) - set(self._loaded.names))
        lasting: list[str] = []
        for restore in (
            self._restore_signals, self._restore_numpy, self._restore_folder, self._restore_random,
            self._restore_process, self._count_threads,
        ):  # fmt: skip
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    restore()
            except Exception as failure:
                lasting.append(f"left a change that cannot be undone ({type(failure).__name__})")
        self._stack.close()
        sys.stdin = self._stdin
        self._written.release()
        self._nothing.release()
        if imported:
            self.changes.faults.clear()
            self.changes.threads.clear()
        self.changes.faults += lasting
        self.changes.printed = self._written.kept.decode("utf-8", "replace")
        self.changes.warned = [f"{w.category.__name__}: {shown(w.message)}" for w in self._warned or ()]
        self._install({number: before for number, (before, now) in self._handlers.items() if before is not now})
        self.watching = False

    def begin(self) -> None:
        """Let signal handlers raise from here on, inside the context; raise the error of one that ran before."""
        self._working = False
        self.reraise_outside()

    def settle(self) -> None:
        """Take builtins and modules for restored: no code of the rule runs from here on."""
        self._settled = True

    def reraise_outside(self) -> None:
        """Raise the error of a signal handler during the call, such as KeyboardInterrupt, if there was one."""
        if self.outside is not None:
            raise self.outside

    def restore_language(self) -> bool:
        """Restore builtins and modules, without which our own code fails; return False if modules came or went.

        Until they are back, this calls no builtin.
        """
        current = _BUILTINS
        for name in self._builtins:
            if current.get(name) is not self._builtins[name]:
                current[name] = self._builtins[name]
                self.changes.faults.append(f"replaced the builtin {name}; define a function of its own instead")
        if sys.modules is not self._modules:
            sys.modules = self._modules
            self.changes.faults.append("replaced sys.modules; leave it there")
        self._same = self._loaded.same(sys.modules)
        if not self._same:
            for name, module in self._loaded.items():
                if sys.modules.get(name) is not module:
                    sys.modules[name] = module
                    self.changes.faults.append(f"removed the module {name} from sys.modules; leave it there")
        if sys.path != self._path:
            sys.path = self._path
            self.changes.notes.append("changed sys.path")
        for module, before in zip(_WATCHED, self._attributes, strict=True):
            now = vars(module)
            if before.same(now):
                continue
            for name, value in [(name, value) for name, value in before.items() if now.get(name, self) is not value]:
                self.changes.faults.append(f"replaced {module.__name__}.{name}; define a function of its own instead")
                setattr(module, name, value)
        return self._same

    def _wrapped_handlers(self) -> dict[Any, tuple[Any, Any]]:
        """Return each signal's handler, now and during the call."""
        if threading.current_thread() is not threading.main_thread():
            return {}
        found = {}
        for number in _SIGNALS:
            before = now = signal.getsignal(number)
            if callable(before):
                now = self._wrapped(before)
            found[number] = before, now
        return found

    def _wrapped(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        def handle(*arguments: Any) -> Any:
            try:
                return handler(*arguments)
            except BaseException as error:
                self.outside = error
                if self._working:
                    return None
                raise

        return handle

    def _install(self, handlers: dict[Any, Any]) -> None:
        """Install all handlers, whatever those that are not wrapped raise meanwhile."""
        for _ in range(_MOST_SIGNALS):
            try:
                for number, handler in handlers.items():
                    signal.signal(number, handler)
                return
            except BaseException as error:
                self.outside = error

    def _restore_signals(self) -> None:
        for number, (before, now) in self._handlers.items():
            changed = signal.getsignal(number) is not now
            if changed:
                self.changes.notes.append(f"changed the handler of {number.name}")
            if before is not None and changed:
                signal.signal(number, now)
        if not self._handlers:
            return
        for timer, (left, interval), since in self._timers:
            due = max(left - (time.monotonic() - since), 1e-3) if left else 0.0
            now = signal.getitimer(timer)[0]
            if bool(now) != bool(due) or abs(now - due) > _GRACE:
                self.changes.notes.append("set or stopped a timer")
                signal.setitimer(timer, due, interval)

    def _restore_numpy(self) -> None:
        state = np.geterr()
        if set(state.values()) != {"call"}:
            modes = ", ".join(f"{error} to {mode}" for error, mode in state.items() if mode != "call")
            self.changes.faults.append(f"changed NumPy's error state ({modes}); use `with np.errstate(...)`")
        if np.get_printoptions() != self._options:
            self.changes.notes.append("changed NumPy's print options")
            np.set_printoptions(**self._options)

    def _restore_folder(self) -> None:
        if self._folder and _folder() != self._folder:
            self.changes.faults.append("changed the current directory; open files by absolute paths instead")
            with contextlib.suppress(OSError):
                os.chdir(self._folder)

    def _restore_random(self) -> None:
        after = random_states()
        for name, state in self._random.items():
            if not same_state(after[name], state):
                self.changes.drawn[name] = pickle.dumps(after[name])
                set_random_state(name, state)

    def _restore_process(self) -> None:
        notes = self.changes.notes
        # New variables stay: a package imported in the call may rely on them.
        now = environment()
        if now != self._environment:
            replaced = [name for name, value in self._environment.items() if now.get(name) != value]
            if replaced:
                notes.append(f"changed the environment variable {os.fsdecode(replaced[0])}")
                os.environ.update({os.fsdecode(name): os.fsdecode(self._environment[name]) for name in replaced})
        for (module, name), before in zip(_HOOKS, self._hooks, strict=True):
            if getattr(module, name, None) is not before:
                notes.append(f"changed {module.__name__}.{name}")
                setattr(module, name, before)
        for (name, get, put), before in zip(_PROCESS_WIDE, self._process, strict=True):
            now = get()
            if now is not before and now != before:
                notes.append(f"changed {name}" + (f" to {now}" if type(now) in (int, float) else ""))
                with contextlib.suppress(RecursionError):
                    put(before)
        decimal.setcontext(self._decimal)
        for module, before in self._precision:
            if module.prec != before:
                notes.append("changed the working precision of a library")
                module.prec = before

    def _count_threads(self) -> None:
        deadline = time.monotonic() + _GRACE
        for thread in set(threading.enumerate()) - self._threads:
            if thread in threads_of_pools():
                self.changes.notes.append("keeps a pool of threads")
                continue
            with contextlib.suppress(RuntimeError):
                threading.Thread.join(thread, max(0.0, deadline - time.monotonic()))
            if threading.Thread.is_alive(thread):
                self.changes.threads.append(shown(thread.name))


def _timers() -> tuple[Any, ...]:
    if not hasattr(signal, "getitimer") or threading.current_thread() is not threading.main_thread():
        return ()
    return signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF


def _precisions() -> list[tuple[Any, int]]:
    """Return the objects that hold the working precision of flint and mpmath, if loaded, with that precision."""
    flint, mpmath = sys.modules.get("flint"), sys.modules.get("mpmath")
    holders = [getattr(flint, "ctx", None), getattr(mpmath, "mp", None)]
    return [(holder, holder.prec) for holder in holders if holder is not None]


@contextlib.contextmanager
def moved_generators() -> Any:
    """Yield a function that moves the global random generators, and restore them afterwards.

    `move()` advances them, and `move(n)` seeds them with n.
    """
    states = random_states()

    def move(to: int | None = None) -> None:
        if to is not None:
            random.seed(to)
            np.random.seed(to)
        random.random()
        np.random.random_sample()

    try:
        yield move
    finally:
        for name, state in states.items():
            set_random_state(name, state)


def _folder() -> str:
    """Return the current directory, or an empty string if it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return ""
