"""Searches by Hypothesis: no profile of the caller's, no files, no error where answers change."""

from __future__ import annotations

import inspect
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
from hypothesis import configuration
from hypothesis import strategies as st

from gradcheck.problems.search import Hit, own_settings, search

NUMBERS = st.integers(0, 1000)

ANSWERS: dict[str, Callable[[int], bool]] = {
    "once": lambda call: call == 3,
    "every other call": lambda call: call % 2 == 1,
    "every 40th call": lambda call: call % 40 == 0,
    "a while": lambda call: 5 < call < 12,
    "until it is looked at": lambda call: call < 5,
}


def test_the_smallest_example_is_found() -> None:
    assert search(NUMBERS, lambda n: n if n > 17 else None, examples=100) == Hit(18, True)
    assert search(NUMBERS, lambda n: None, examples=100) is None


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_that_change_end_in_a_hit_that_says_so(name: str) -> None:
    calls = itertools.count(1)
    hit = search(NUMBERS, lambda n: (n, "wrong") if ANSWERS[name](next(calls)) else None, examples=100)
    assert hit is not None and hit.seen[1] == "wrong"
    assert not hit.reproducible or name not in ("once", "every 40th call")


def test_what_is_raised_comes_out_as_it_is() -> None:
    seen = []

    def examine(n: int) -> int | None:
        seen.append(n)
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError, match="ours"):
        search(NUMBERS, examine, examples=100)
    assert len(seen) == 1


def test_what_was_seen_before_an_error_stands() -> None:
    calls = itertools.count(1)

    def examine(n: int) -> int | None:
        if next(calls) > 1:
            raise ZeroDivisionError
        return n

    assert search(NUMBERS, examine, examples=100) == Hit(0, False)


def test_the_draws_depend_on_the_seed_alone() -> None:
    def drawn(seed: int | None) -> list[int]:
        seen: list[int] = []
        search(NUMBERS, lambda n: seen.append(n), examples=20, seed=seed)
        return seen

    assert drawn(1) == drawn(1) != drawn(2)
    assert drawn(None) == drawn(None)


def test_every_setting_is_stated() -> None:
    """A setting that a later version adds is stated too, or the caller's profile has a say in it."""
    known = set(inspect.signature(hypothesis.settings.__init__).parameters) - {"self", "parent"}
    stated = inspect.getsource(own_settings)
    assert {name for name in known if f"{name}=" not in stated} == set()


def test_the_storage_folder_is_restored(tmp_path: Path) -> None:
    name = "__hypothesis_home_directory"
    assert name in vars(configuration), "Hypothesis keeps its folder elsewhere: problems/search.py restores nothing"
    before = vars(configuration)[name]
    try:
        configuration.set_hypothesis_home_dir(tmp_path)
        during = []
        search(NUMBERS, lambda n: during.append(vars(configuration)[name]), examples=2)
        assert tmp_path not in during and not any(Path(folder).exists() for folder in during)
        assert vars(configuration)[name] == tmp_path
    finally:
        configuration.set_hypothesis_home_dir(before)


PROFILES = {
    "none": "",
    "debug": "verbosity=hypothesis.Verbosity.debug",
    "database": "database=hypothesis.database.DirectoryBasedExampleDatabase('examples')",
    "no generation": "phases=[hypothesis.Phase.explicit]",
    "one example": "max_examples=1",
    "a backend that fails": "backend='failing'",
    "a deadline": "deadline=0.001, derandomize=False, suppress_health_check=[]",
}

PROGRAM = """
import hypothesis, hypothesis.database, time
from hypothesis import strategies
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS
AVAILABLE_PROVIDERS["failing"] = "nowhere.Provider"
if {profile!r}:
    hypothesis.settings.register_profile("hostile", {profile})
    hypothesis.settings.load_profile("hostile")
from gradcheck.problems.search import search

def examine(drawn):
    time.sleep(0.002)  # beyond the deadline
    return drawn if sum(drawn) > 300 and len(set(drawn)) > 2 else None

hit = search(strategies.lists(strategies.integers(0, 100)), examine, examples=100)
print(hit.seen)
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _printed(tmp_path_factory.mktemp("plain"), "")


def _printed(folder: Path, profile: str) -> str:
    path = str(Path(__file__).parents[2])
    program = f"import sys; sys.path.insert(0, {path!r})\n" + PROGRAM.format(profile=profile)
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == [], "a search left files in the caller's folder"
    return done.stdout


@pytest.mark.processes
@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_changes_nothing(name: str, plain: str, tmp_path: Path) -> None:
    assert len(plain.splitlines()) == 1
    assert _printed(tmp_path, PROFILES[name]) == plain
