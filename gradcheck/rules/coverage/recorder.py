"""Recorder of the branches of a rule's own code that run while the rule is called.

The interpreter's own trace function tells of each line, and of each instruction of a line that holds a test. Functions
of other files are left alone. A function all of whose branches have run is traced no further, and once that is so of
every function, nothing is traced.

A comparison within arrays, as in `np.where(a > b, ...)`, is a branch: entries take one side or the other.
It is seen on number systems of our own, where each comparison is a call, and on floats that tell of it, see `watched`;
there those of the author's own code count alone, not those of functions that it calls.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType, FrameType, FunctionType
from typing import Any, TypeAlias

import numpy as np

from ...reference.scalars.base import FieldArray
from ...reference.scalars.scalar import Scalar
from . import watched
from .branches import DEEPER, ITSELF, Branch, Branches, branches_of, compared

Trace: TypeAlias = Callable[[FrameType, str, Any], Any]
_EVERY_INSTRUCTION = sys.version_info >= (3, 12)
"""From 3.12 on, asking for the instructions of a single line comes too late for that line."""
_NOTED = watched.noted.__code__
_COMPARES = (Scalar._compare.__code__, FieldArray._special.__code__, _NOTED)
"""Code that compares numbers of our own, entry by entry or whole arrays, and that tells of comparisons of floats."""
_BETWEEN = (watched.__file__, os.path.dirname(np.__file__))
"""Files between a comparison of floats and the code that asked for it."""
_MOST_PARTS = 1000
"""Parts of one object among which functions are looked for."""


class Recorder:
    """Records which branches of the author's code run in a rule's calls; see `rules.call.Calls`.

    Args:
        authored: Tells the files of the rule's author from others, by name.
    """

    def __init__(self, authored: Callable[[str], bool]) -> None:
        self._authored = authored
        self._codes: dict[int, tuple[CodeType, _Code | None]] = {}  # with the code, so that its id stays its own
        self._comparing = {id(code) for code in _COMPARES}
        self._before: tuple[Any, Any] = None, None
        self._all_ran = False

    def began(self, place: str, problem: object = None) -> None:
        """Begin to trace this thread, and those that it starts."""
        if self._all_ran:
            return
        self._before = sys.gettrace(), threading.gettrace()
        threading.settrace(self._called)
        sys.settrace(self._called)

    def ended(self, error: BaseException | None) -> None:
        """Give the thread its trace function back."""
        if self._all_ran:
            return
        own, of_others = self._before
        sys.settrace(own)
        threading.settrace(of_others)
        called = self._called_codes()
        if called and all(known.has_run for known in called):
            self._all_ran = not any(self._never_called(called))

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        found = self._codes.get(id(code))
        if found is None:
            known = _Code(code, frame.f_globals) if self._authored(code.co_filename) else None
            found = self._codes[id(code)] = code, known
        known = found[1]
        if known is not None and frame.f_back is not None:
            known.call_itself(self._depth(frame))
        if known is None or known.complete:
            if id(code) not in self._comparing:
                return None
            frame.f_trace_lines = False
            return self._compared
        known.called = True
        if known.has_run:
            known.complete = True
            return None
        if _EVERY_INSTRUCTION:
            frame.f_trace_opcodes = True
        return known.trace(frame.f_lasti)

    def _depth(self, frame: FrameType) -> int:
        """Return how many calls of a function a call of it lies within, 2 for more; through the author's code alone."""
        depth, around = 0, frame.f_back
        while around is not None and depth < 2 and self._codes.get(id(around.f_code), (None, None))[1] is not None:
            depth += around.f_code is frame.f_code
            around = around.f_back
        return depth

    def _compared(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Note how a comparison came out, for the line of the author's that asked for it."""
        if event == "return" and isinstance(argument, (bool, np.bool_, np.ndarray)) and frame.f_back is not None:
            if np.asarray(argument).dtype == bool:
                asked: FrameType | None = frame.f_back
                if frame.f_code is _NOTED:
                    asked = self._asked_directly(asked)
                while asked is not None and (known := self._codes.get(id(asked.f_code), (None, None))[1]) is None:
                    asked = asked.f_back
                if asked is not None and known is not None and asked.f_lasti not in known.branches.deciding:
                    known.compare(asked, set(np.unique(argument).tolist()))
        return self._compared

    def _asked_directly(self, frame: FrameType | None) -> FrameType | None:
        """Return the frame of the author's that asked for a comparison itself, None if other code did."""
        while frame is not None and frame.f_code.co_filename.startswith(_BETWEEN):
            frame = frame.f_back
        known = None if frame is None else self._codes.get(id(frame.f_code), (None, None))[1]
        return None if known is None else frame

    def _called_codes(self) -> list[_Code]:
        # A copy: a thread that the rule left running may call another function meanwhile.
        return [known for _, known in list(self._codes.values()) if known is not None and known.called]

    def reset(self) -> None:
        """Forget what ran."""
        self._all_ran = False
        for _, known in list(self._codes.values()):
            if known is not None:
                known.reset()

    def as_data(self) -> list[list[Any]]:
        """Return a row for each function that was called, or could have been: file, name, line, ran, missed."""
        called = self._called_codes()
        rows = [known.as_data() for known in called]
        rows += [_Code(code, {}).as_data() for code in self._never_called(called)]
        return rows

    def numbers(self) -> dict[type, list[float]]:
        """Return the numbers in the functions called, whole ones by `int` and others by `float`, each once."""
        found: dict[type, list[float]] = {int: [], float: []}
        for known in self._called_codes():
            code = known.code
            values = [*code.co_consts, *(known.namespace.get(name) for name in code.co_names)]
            values += [part for value in values if type(value) in (tuple, list) for part in value]
            for value in values:
                kind = int if type(value) is int else float
                if type(value) in (int, float) and abs(value) < 1e6 and value not in found[kind]:
                    found[kind].append(value)
        return found

    def _never_called(self, called: Iterable[_Code]) -> Iterator[CodeType]:
        """Yield the author's functions that the functions called name, and that were never called themselves."""
        known = {_place(each.code) for each in called}
        for each in called:
            for function in _named(each.code, each.namespace):
                code = function.__code__
                if self._authored(code.co_filename) and _place(code) not in known:
                    known.add(_place(code))
                    yield code


class _Code:
    """The branches of one code object that ran."""

    def __init__(self, code: CodeType, namespace: Mapping[str, Any]) -> None:
        self.code, self.namespace = code, namespace
        self.branches: Branches = branches_of(code)
        self.ran: set[Branch] = set()
        self._compared: dict[int, dict[bool, Branch]] = {}
        self.called, self.complete = False, False

    @property
    def has_run(self) -> bool:
        """True once every branch has run."""
        return len(self.ran) == len(self.branches.wanted)

    def compare(self, frame: FrameType, outcomes: set[bool]) -> None:
        """Add the outcomes of a comparison that a frame has asked for."""
        at = frame.f_lasti
        if at not in self._compared:
            found = {each: compared(self.code, at, frame.f_lineno, each) for each in (True, False)}
            self._compared[at] = {} if frame.f_lineno in self.branches.inert else found
            self.branches.wanted.update(self._compared[at].values())
        if self._compared[at]:
            self.ran.update(self._compared[at][each] for each in outcomes)

    def call_itself(self, depth: int) -> None:
        """Add that the function was called from within this many calls of it."""
        if depth:
            line = self.code.co_firstlineno
            once, twice = ((line, 0, line, 0, outcome, 0) for outcome in (ITSELF, DEEPER))
            self.branches.wanted.update((once, twice))
            self.ran.update((once, twice) if depth > 1 else (once,))

    def reset(self) -> None:
        self.ran.clear()
        self.called = self.complete = False

    def trace(self, last: int) -> Trace:
        """Return the trace function of one call, or of the rest of a generator.

        Args:
            last: The offset of the instruction before.
        """
        jumps, lines, tested, ran = self.branches.jumps, self.branches.lines, self.branches.tested, self.ran
        rounds, back = self.branches.rounds, self.branches.back
        came_back = False

        def local(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal last, came_back
            if event == "line" or event == "opcode":
                at = frame.f_lasti
                if last in jumps and at != last:
                    branch = jumps[last].get(at)
                    if branch is not None:
                        ran.add(branch)
                        if came_back and last in rounds:
                            ran.add(rounds[last])
                if at in rounds and rounds.get(last) != rounds[at]:
                    came_back = last > at
                if event == "line" and at in back and last >= at:
                    ran.add(back[at])
                last = at
                if event == "line":
                    line = frame.f_lineno
                    if line in lines:
                        ran.add((line,))
                    if not _EVERY_INSTRUCTION:
                        frame.f_trace_opcodes = line in tested
            return local

        return local

    def as_data(self) -> list[Any]:
        """Return file, name, first line, the branches that ran, and those that did not."""
        ran = self.ran.copy()
        missed = self.branches.wanted - ran
        return [*_place(self.code), sorted(map(list, ran), key=str), sorted(map(list, missed), key=str)]


def _place(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _named(code: CodeType, namespace: Mapping[str, Any]) -> Iterator[FunctionType]:
    """Yield the functions that a code object's names lead to: functions, those in containers, and methods it names."""
    for name in code.co_names:
        if name in namespace:
            yield from _functions(namespace[name], set(code.co_names))


def _functions(value: Any, names: set[str]) -> Iterator[FunctionType]:
    waiting, seen = [value], set[int]()
    while waiting and len(seen) < _MOST_PARTS:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        # By type alone: an object of the author's may answer any question with an error. A cached function is passed
        # over, since it may have been called before, and its result kept.
        kind = type(part)
        if kind is FunctionType:
            yield part
            waiting.append(part.__dict__.get("__wrapped__"))
        elif kind is functools.partial:
            waiting.append(part.func)
        elif kind is dict:
            waiting += part.values()
        elif kind in (list, tuple, set, frozenset):
            waiting += part
        elif kind in (staticmethod, classmethod):
            waiting.append(part.__func__)
        elif issubclass(kind, type):
            waiting += [method for name, method in type.__dict__["__dict__"].__get__(part).items() if name in names]
