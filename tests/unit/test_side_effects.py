"""Side effects of a call: none that cannot be undone is excused, and signals of the caller are heeded."""

from __future__ import annotations

import signal
import sys
from typing import Any

import pytest

from gradcheck.algorithms.bptt import bptt
from gradcheck.problems.lively import lively_problem
from gradcheck.reference.network import Network, Sizes
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.call import run
from gradcheck.rules.side_effects import SideEffects


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
@pytest.mark.parametrize("method", ["_restore_numpy", "_count_threads", "_handle_signals", "_unwrap_signals"])
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
