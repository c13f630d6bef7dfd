"""Side effects of a call: none that cannot be undone is excused, and signals of the caller are heeded."""

from __future__ import annotations

import gc
import signal
import sys
import weakref
from typing import Any

import numpy as np
import pytest

from gradcheck.algorithms.bptt import bptt
from gradcheck.problems.lively import lively_problem
from gradcheck.reference.network import Network, Sizes
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.call import run
from gradcheck.rules.side_effects import SideEffects
from gradcheck.rules.snapshot import Names


@pytest.mark.parametrize("imports", [False, True], ids=["alone", "beside an import"])
def test_a_change_that_cannot_be_undone_is_a_fault(monkeypatch: pytest.MonkeyPatch, imports: bool) -> None:
    def fail(self: SideEffects) -> None:
        raise OSError("gone")

    monkeypatch.setattr(SideEffects, "_restore_folder", fail)
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with SideEffects() as around:
        if imports:
            import colorsys  # noqa: F401
    assert around.changes.faults == ["left a change that cannot be undone (OSError)"]


class Late(Exception):
    """Raised by a handler of the caller."""


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="there is no SIGALRM here")
@pytest.mark.parametrize("method", ["_restore_numpy", "_count_threads", "_wrapped_handlers"])
def test_a_signal_of_the_caller_is_heeded_around_a_call_too(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def handler(*arguments: Any) -> None:
        raise Late

    own = getattr(SideEffects, method)

    def at_that_moment(self: SideEffects) -> Any:
        result = own(self)
        signal.raise_signal(signal.SIGALRM)
        return result

    monkeypatch.setattr(SideEffects, method, at_that_moment)
    before, output = signal.signal(signal.SIGALRM, handler), sys.stdout
    try:
        with pytest.raises(Late):
            run(as_rule(bptt), lively_problem(Network(), Sizes(2, 2, 1, 1), 0))
        assert signal.getsignal(signal.SIGALRM) is handler and sys.stdout is output
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="there is no SIGALRM here")
@pytest.mark.parametrize("when", ["before", "after"])
def test_no_moment_in_which_handlers_are_installed_loses_a_signal(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    def handler(*arguments: Any) -> None:
        raise Late

    own, calls = signal.signal, [0]

    def at(moment: int) -> Any:
        def install(number: Any, given: Any) -> Any:
            calls[0] += 1
            if calls[0] == moment and when == "before":
                signal.raise_signal(signal.SIGALRM)
            result = own(number, given)
            if calls[0] == moment and when == "after":
                signal.raise_signal(signal.SIGALRM)
            return result

        return install

    before = {number: own(number, handler) for number in (signal.SIGALRM, signal.SIGINT, signal.SIGUSR2)}
    try:
        for moment in range(1, 100):
            calls[0] = 0
            with monkeypatch.context() as patched:
                patched.setattr(signal, "signal", at(moment))
                try:
                    run(as_rule(bptt), lively_problem(Network(), Sizes(2, 2, 1, 1), 0))
                except Late:
                    assert calls[0] >= moment
                else:
                    assert calls[0] < moment, f"the signal at moment {moment} of {calls[0]} was lost"
                    break
            assert {signal.getsignal(number) for number in before} == {handler}, moment
        assert moment > 2 * len(before), "handlers are not wrapped for the call"
    finally:
        for number, previous in before.items():
            own(number, previous)


def test_no_python_code_runs_where_a_stream_is_collected() -> None:
    ran: list[str] = []
    with SideEffects() as around:
        print("kept")
        streams = [sys.stdout, sys.stderr, sys.stdin]
    kept = [weakref.ref(each) for each in streams]
    del around
    gc.collect()  # what other tests left, too
    sys.setprofile(lambda frame, event, _: ran.append(frame.f_code.co_qualname) if event == "call" else None)
    try:
        streams.clear()
    finally:
        sys.setprofile(None)
    assert [each() for each in kept] == [None] * 3, "the streams are not collected here"
    assert ran == [], "a signal handler may run there, and Python drops its error"


class Equal:
    """Claims to be equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__


def test_an_object_that_claims_to_be_equal_is_another() -> None:
    space = {"a": 1.0, "b": object()}
    before = Names(space)
    assert before.same(space) and before.same(dict(space))
    assert not before.same(space | {"b": Equal()})
    assert not before.same({"b": space["b"], "a": space["a"]})
    assert not before.same({"a": space["a"], "c": space["b"]})
    assert not before.same(space | {"c": 0}) and not before.same({})


@pytest.mark.parametrize("left", [False, True], ids=["no number left over", "a number left over"])
def test_a_draw_that_leaves_the_key_as_it_is_is_seen(left: bool) -> None:
    before = np.random.get_state(legacy=False)
    try:
        np.random.seed(0)
        if left:
            np.random.standard_normal()  # makes two, and gives one
        for _ in range(3):  # each finds what the one before restored
            with SideEffects() as around:
                np.random.standard_normal()
            assert around.changes.drawn.keys() == {"numpy.random"}
            with SideEffects() as around:
                pass
            assert not around.changes.drawn
    finally:
        np.random.set_state(before)
