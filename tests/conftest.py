"""The tests load the checkout, in this process and in every one that they start; and how Hypothesis searches."""

from __future__ import annotations

import functools
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings

import gradcheck

# Set before NumPy and torch are first imported: on matrices of this size a second thread only waits for the first.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What other runs left on this machine is not to be met by any test, nor by a process that one starts.
os.environ["GRADCHECK_CACHE"] = "off"

ROOT = Path(__file__).parent.parent

_UNTIMED = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", derandomize=True, database=None, max_examples=100, **_UNTIMED)
settings.register_profile("explore", derandomize=False, max_examples=2000, **_UNTIMED)
settings.load_profile("ci")


def pytest_configure(config: pytest.Config) -> None:
    """Stop unless gradcheck is the checkout's, so that no test sees a mix with an older, installed copy."""
    loaded = Path(gradcheck.__file__).resolve().parent
    if loaded != ROOT.resolve() / "gradcheck":
        raise pytest.UsageError(
            f"gradcheck was loaded from {loaded}, not from this checkout: run pytest 8.4 or later from the root of "
            "the checkout, or `python -m pytest`"
        )
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    if sys.dont_write_bytecode and hasattr(config, "cache"):
        # Compiled again by each process that a test starts, the package would take half of its time.
        os.environ["PYTHONPYCACHEPREFIX"] = str(config.cache.mkdir("bytecode"))
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run files in which JAX is used last: its process cannot be forked, and a fresh worker each time takes long.

    pytest-xdist gives each process whole files, so one test that uses JAX speaks for its file.
    """
    files = {item.path for item in items if item.get_closest_marker("jax") is not None}
    items.sort(key=lambda item: item.path in files)


@pytest.fixture(autouse=True)
def jax_is_told(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that starts JAX in this process while its file is not marked so: the files after it would suffer."""
    from gradcheck.reference.private import jax_in_use

    before = jax_in_use()
    yield
    told = request.node.get_closest_marker("jax") is not None
    assert before or told or not jax_in_use(), "this test starts JAX; mark it, or its file, with pytest.mark.jax"


@pytest.fixture(scope="module")
def quick_to_compile() -> Iterator[None]:
    """Let JAX optimise little: every size is compiled anew, in half the time."""
    import jax

    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="session")
def warmed() -> None:
    """Derive in this process what most audits need: their workers are forks of it, and inherit that."""
    import gradcheck.algorithms
    from gradcheck.evidence.base import Case
    from gradcheck.explain.diagnosis import diagnose
    from gradcheck.faults import SHOWN, fault_named
    from gradcheck.problems.lively import lively_problem
    from gradcheck.rules.adapt import as_rule

    for fault in SHOWN:  # each diagnosis compares with them
        fault.rule()
    network = [gradcheck.Network()]
    gradcheck.audit(gradcheck.algorithms.bptt, [gradcheck.Exact()], networks=network, effort="quick", isolated=False)
    wrong = Case(as_rule(fault_named("sign-of-dv").rule()), gradcheck.Exact(), network[0])
    diagnose(wrong, {}, lively_problem(network[0], gradcheck.Sizes(1, 1, 1, 1), 0))


@pytest.fixture(autouse=True)
def audits_start_warm(request: pytest.FixtureRequest) -> None:
    """Warm this process before the first test of a folder whose tests audit."""
    if request.path.parent.name in ("cli", "evidence", "processes"):
        request.getfixturevalue("warmed")


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each audit one worker: the processes of pytest-xdist take the cores already."""
    monkeypatch.setattr("gradcheck.engine.executors.available", lambda: 1)


@pytest.fixture(scope="session", autouse=True)
def few_calls_in_a_row() -> Iterator[None]:
    """Call each rule 100 times in a row, not 5000, which take half the time of a small audit.

    test_histories.py sets the number that it needs.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradcheck.evidence.preconditions.histories.MOST_CALLS", 100)
        yield


@pytest.fixture
def claims_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little of what every rule is tried on beside its claims: one family of extreme values, one pair of histories."""
    from gradcheck.evidence.floats import stability
    from gradcheck.evidence.preconditions import histories

    families = stability.families
    monkeypatch.setattr(stability, "FORMATS", stability.FORMATS[:1])
    monkeypatch.setattr(stability, "families", lambda part, network: families(part, network)[:1])
    monkeypatch.setattr(histories, "_PAIRS", histories._PAIRS[:1])
    monkeypatch.setattr(histories, "FRESH", histories.FRESH[:2])


@pytest.fixture
def brief(claims_alone: None, short_search: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick audits of the fewest sizes, for tests of what happens around them; not in processes that a test starts."""
    from brief import BRIEF

    from gradcheck.evidence.floats import branches, properties, screen
    from gradcheck.evidence.preconditions import histories, threads
    from gradcheck.judge.effort import EFFORTS

    candidates, structured, sizes = branches.candidates, screen.structured, screen._sizes
    monkeypatch.setitem(EFFORTS, "quick", BRIEF)
    few_sizes = functools.wraps(sizes)(lambda *arguments: itertools.islice(sizes(*arguments), 4))
    monkeypatch.setattr(screen, "_sizes", few_sizes)
    monkeypatch.setattr(screen, "trained_problems", lambda *_, **__: {})
    monkeypatch.setattr(screen, "structured", lambda *arguments: itertools.islice(structured(*arguments), 4))
    monkeypatch.setattr(screen, "DRAWS", 4)
    monkeypatch.setattr(properties, "DRAWN", 1)
    monkeypatch.setattr(histories, "MOST_CALLS", histories.AT_ONCE)
    monkeypatch.setattr(threads, "MOST_STOPS", 6)
    monkeypatch.setattr(threads, "TURNS", threads.TURNS[:1])
    monkeypatch.setattr("gradcheck.evidence.floats.blackbox.branching_problems", lambda *_, **__: {})
    monkeypatch.setattr(branches, "candidates", lambda *arguments: itertools.islice(candidates(*arguments), 12))


@pytest.fixture
def every_size_is_screened(brief: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Screen every size near a number of the rule's code in a brief audit too."""
    from gradcheck.evidence.floats import screen

    monkeypatch.setattr(screen, "_sizes", screen._sizes.__wrapped__)  # type: ignore[attr-defined]


@pytest.fixture
def short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 40 problems where a counterexample is looked for, for tests in which most of the search is in vain."""
    from gradcheck.explain import counterexample

    search = counterexample._search
    monkeypatch.setattr(
        counterexample, "_search", lambda case, strategy, most, *rest: search(case, strategy, min(most, 40), *rest)
    )


@pytest.fixture
def not_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make counterexamples no smaller, which takes most of the time of a search that ends in one."""
    from hypothesis import Phase

    from gradcheck.explain import counterexample
    from gradcheck.problems import search

    monkeypatch.setattr(search, "Phase", SimpleNamespace(generate=Phase.generate, shrink=Phase.generate))
    monkeypatch.setattr(counterexample, "simplest", lambda problem, holds: problem)
