"""docs/: what its pages show runs, and fails on a wrong rule."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from right_rules import bptt
from wrong_rules import WRONG, made

ROOT = Path(__file__).parents[2]


def shown(rule: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tests of the page on property tests, about that rule."""
    module = types.ModuleType("my_rule")
    module.bptt = rule  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_rule", module)
    (code,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs/property-tests.md").read_text(), re.DOTALL | re.MULTILINE
    )
    space: dict[str, Any] = {"__name__": "shown"}
    exec(compile(code, "docs/property-tests.md", "exec"), space)
    return [value for name, value in space.items() if name.startswith("test_")]


def test_the_property_tests_that_are_shown_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    tests = shown(bptt, monkeypatch)
    assert len(tests) == 2
    for test in tests:
        test()


def first_unit_doubled(problem: Any) -> Any:
    found = bptt(problem)
    found["W"][:, 0] *= 2
    return found


@pytest.mark.parametrize(("number", "rule"), [(0, made("wrong", WRONG["one entry wrong"])), (1, first_unit_doubled)])
def test_each_fails_on_a_wrong_rule(number: int, rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="rounding allows|and"):
        shown(rule, monkeypatch)[number]()
