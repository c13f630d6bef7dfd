"""Each private name of another package is still there, and does what it is used for."""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.internal import constants_ast
from hypothesis.internal.conjecture import providers

from gradcheck.problems.search import search
from gradcheck.reference import private
from gradcheck.reference.scalars.residues.array import ResidueField

ROOT = Path(__file__).parents[2]


def test_numpy_marks_what_was_left_out() -> None:
    class Spy(np.ndarray[Any, Any]):
        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
            return kwargs.get("initial", private.NO_VALUE)

    assert private.NO_VALUE is not None
    assert np.zeros(2).view(Spy).sum() is private.NO_VALUE


def test_executors_say_how_wide_they_are() -> None:
    with concurrent.futures.ThreadPoolExecutor(3) as executor:
        assert private.executor_width(executor) == 3
    with concurrent.futures.ProcessPoolExecutor(2) as processes:
        assert private.executor_width(processes) == 2
    assert private.executor_width(object()) == 0


def test_threads_of_pools_are_known() -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        executor.submit(int).result()
        assert {thread for thread in executor._threads} <= private.threads_of_pools()


@pytest.mark.parametrize("name", ["_max_workers", "_threads_queues", "_NoValue", "_backends", "_seen_modules"])
def test_a_private_name_is_read_in_one_place(name: str) -> None:
    files = [p for folder in ("gradcheck", "reference", "algorithms") for p in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in files if name in path.read_text("utf-8")] == ["private.py"]


def test_the_environment_is_read_undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADCHECK_VARIABLE", "value")
    found = private.environment()
    assert found[os.fsencode("GRADCHECK_VARIABLE") if os.name == "posix" else "GRADCHECK_VARIABLE"] in (
        "value",
        b"value",
    )
    monkeypatch.delenv("GRADCHECK_VARIABLE")
    assert len(private.environment()) == len(found) - 1, "what was returned is no copy"


@pytest.mark.processes
def test_jax_in_use_is_seen() -> None:
    pytest.importorskip("jax")
    program = (
        "from gradcheck.reference.private import jax_in_use\n"
        "import jax\n"
        "before = jax_in_use()\n"
        "jax.devices()\n"
        "print(before, jax_in_use())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_diff_of_residues_is_numpys() -> None:
    field = ResidueField()
    a, end = np.array([[1.0, 4.0, 9.0], [2.0, 3.0, 5.0]]), np.array([[7.0], [8.0]])
    for how in ({}, {"n": 2}, {"axis": 0}, {"prepend": 1.0}, {"append": end}, {"prepend": end, "n": 2}, {"n": 0}):
        ours: Any = np.diff(field.lift(a), **how)  # type: ignore[call-overload]
        theirs: Any = np.diff(a, **how)  # type: ignore[call-overload]
        assert np.array_equal(field.residues(ours), field.residues(theirs)), how


def test_constants_of_our_files_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = types.ModuleType("gradcheck.made_up"), types.ModuleType("made_up")
    read: list[Any] = []
    monkeypatch.setattr(providers, "_seen_modules", set())
    monkeypatch.setattr(providers, "_sys_modules_len", None)
    monkeypatch.setattr(providers, "is_local_module_file", lambda path: True)
    monkeypatch.setattr(
        providers, "constants_from_module", lambda module: read.append(module) or constants_ast.Constants()
    )
    for module in (own, other):
        module.__file__ = __file__
        monkeypatch.setitem(sys.modules, module.__name__, module)
    search(st.lists(st.integers(0, 10**6), min_size=20), lambda _: None, examples=20)
    assert other in read and own not in read
    assert not [module for module in read if module.__name__.startswith("gradcheck.")]


def test_numpys_generator_is_read_by_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = np.random.get_state(legacy=False)
    try:
        first = private.key_of_generator()
        assert first is not None and first[:-4] == np.random.get_state(legacy=False)["state"]["key"].tobytes()  # type: ignore[index, call-overload]
        np.random.random()
        moved = private.key_of_generator()
        assert moved != first
        np.random.set_state(before)
        assert private.key_of_generator() == first
    finally:
        np.random.set_state(before)
    monkeypatch.setattr(np.random, "get_bit_generator", np.random.PCG64)
    assert private.key_of_generator() is None
