"""Side effects of a call: what cannot be undone is never excused."""

from __future__ import annotations

import sys

import pytest

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
