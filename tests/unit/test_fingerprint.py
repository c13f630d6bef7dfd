"""The fingerprint of a request: what changes it, what does not, and rules that have none."""

from __future__ import annotations

import functools
import importlib
import json
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from gradcheck.algorithms import bptt
from gradcheck.reference.claims import Equals, Exact
from gradcheck.reference.errors import GradcheckError
from gradcheck.rules.adapt import as_rule
from gradcheck.store import fingerprint as prints
from gradcheck.store.fingerprint import author_files, fingerprint

_PRINTED = """
import json, sys
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.load import load_rule
from gradcheck.store.fingerprint import fingerprint
print(json.dumps(fingerprint(as_rule(load_rule(sys.argv[1])), seed=0)))
"""


def printed(path: Path) -> dict[str, Any]:
    """The fingerprint that a process of its own makes of the rule in the file."""
    command = [sys.executable, "-c", _PRINTED, f"{path}:rule"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def files(path: Path, rule: str = "rule") -> dict[str, str]:
    """The files in the fingerprint that a fork of this process makes, which has not loaded the rule's modules."""
    with get_context("fork").Pool(1) as pool:
        return pool.apply(_files, (f"{path}:{rule}",))


def _files(target: str) -> dict[str, str]:
    from gradcheck.rules.load import load_rule

    found: dict[str, str] = json.loads(json.dumps(fingerprint(as_rule(load_rule(target)), seed=0)["files"]))
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A rule, what it imports from elsewhere, and what lies beside it."""
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "far.py").write_text("def made(problem, upto): return {}\n", "utf-8")
    (home / "mine.py").write_text(
        f"import functools, sys\nsys.path.append({str(tmp_path / 'lib')!r})\nimport far\n"
        "def rule(problem): return far.made(problem, 3)\nbound = functools.partial(far.made, upto=3)\n",
        "utf-8",
    )
    (home / "beside.py").write_text("def imported_when_it_is_called(): return 1\n", "utf-8")
    (home / "kernel.so").write_bytes(b"compiled 1")
    (home / "data" / "weights.npy").write_bytes(b"numbers 1")
    (home / "_inner").mkdir()
    (home / "_inner" / "late.py").write_text("", "utf-8")
    return home


CHANGES = {
    "the rule": "mine.py",
    "a module beside it": "beside.py",
    "a compiled kernel": "kernel.so",
    "a data file in a folder beside it": "data/weights.npy",
    "a module in a private folder beside it": "_inner/late.py",
    "a module that it imports from elsewhere": "../lib/far.py",
}


@pytest.mark.processes
def test_each_file_of_the_author_counts_and_is_named(project: Path) -> None:
    told = printed(project / "mine.py")
    assert printed(project / "mine.py") == told, "two processes tell one rule apart"
    before = files(project / "mine.py")
    assert {Path(each).name for each in told["files"]} <= {Path(each).name for each in before}
    for name, changed in CHANGES.items():
        path = project / changed
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        after = files(project / "mine.py")
        differ = {each for each in before if before[each] != after.get(each)}
        assert [Path(each).name for each in differ] == [path.name], f"{name}: {differ}"
        path.write_bytes(content)


def test_files_beside_a_module_count_for_a_rule_that_is_made_of_another_module(project: Path) -> None:
    before = files(project / "mine.py", "bound")
    for name in ("mine.py", "beside.py", "kernel.so"):
        path = project / name
        path.write_bytes(path.read_bytes() + b"\n")
        after = files(project / "mine.py", "bound")
        assert before != after, f"{name} was not looked at"
        before = after


def test_outputs_beside_a_rule_do_not_count(project: Path) -> None:
    before = author_files(as_rule(loaded(project)))
    for name in ("report.html", "found.jsonl", "report.md", ".hidden", "run.log"):
        (project / name).write_text("an output", "utf-8")
    (project / "report.json").write_text(json.dumps({"schema_version": "1.0", "gradcheck_version": "0"}), "utf-8")
    (project / ".venv").mkdir()
    (project / ".venv" / "more.py").write_text("", "utf-8")
    (project / "venv").mkdir()
    (project / "venv" / "pyvenv.cfg").write_text("", "utf-8")
    (project / "venv" / "more.py").write_text("", "utf-8")
    assert author_files(as_rule(loaded(project))) == before
    (project / "settings.json").write_text("{}", "utf-8")
    assert author_files(as_rule(loaded(project))) != before, "a user's own JSON was taken for an output"


def loaded(project: Path) -> Any:
    from gradcheck.rules.load import load_rule

    (project / "plain.py").write_text("def rule(problem): return {}\n", "utf-8")
    return load_rule(f"{project / 'plain.py'}:rule")


def test_a_rule_in_a_package_counts_all_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "own_package" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        (folder / "__init__.py").write_text("", "utf-8")
    (inner / "rules.py").write_text("def rule(problem): return {}\n", "utf-8")
    (inner.parent / "weights.npy").write_bytes(b"numbers")
    monkeypatch.syspath_prepend(tmp_path)
    found = author_files(as_rule(importlib.import_module("own_package.inner.rules").rule))
    assert {"weights.npy", "inner/rules.py", "__init__.py"} <= set(found), found


def test_too_many_files_are_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prints, "MOST_FILES", 3)
    with pytest.raises(GradcheckError, match="has more than 3 files"):
        author_files(as_rule(loaded(project)))


class Scaled:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, problem: Any) -> Any:
        return {name: self.factor * array for name, array in bptt(problem).items()}


def made(factor: float) -> Any:
    def rule(problem: Any) -> Any:
        return {name: factor * array for name, array in bptt(problem).items()}

    return rule


def values(*objects: Any) -> str:
    return str(fingerprint(as_rule(bptt), *objects)["values"])


def test_objects_that_were_handed_over_count_by_their_values() -> None:
    assert values(Scaled(1.0)) == values(Scaled(1.0)) != values(Scaled(2.0))
    assert values(functools.partial(bptt, a=1)) != values(functools.partial(bptt, a=2))
    assert values(None, (Exact(),)) == values(None, (Exact(),)) != values(None, (Equals(bptt),))
    one = "".join(["ta", "nh"])
    assert values(["tanh", "tanh"]) == values(["tanh", one]), "whether parts are shared must not count"


@pytest.mark.parametrize("value", [made(1.0), lambda problem: {}], ids=["closure", "lambda"])
def test_values_that_cannot_be_told_apart_are_refused(value: Any) -> None:
    with pytest.raises(GradcheckError, match="cannot be told from another rule"):
        fingerprint(as_rule(value), value)


def typed(text: str, name: str = "__main__") -> Any:
    """A function or class as somebody types it into a console: it has no file."""
    names: dict[str, Any] = {"__name__": name, "bptt": bptt}
    exec(text, names)
    return names["rule"]


TYPED = {
    "a function": "def rule(problem): return bptt(problem)",
    "a class": "class rule:\n def start(self, n, p, a): return a\n def step(self, s, x, y): return s, None",
    "an instance": "class R:\n def __call__(self, problem): return {}\nrule = R()",
    "a partial": "import functools\ndef f(problem, a): return {}\nrule = functools.partial(f, a=1)",
}


@pytest.mark.parametrize("name", TYPED)
@pytest.mark.parametrize("module", ["__main__", __name__])
def test_a_rule_without_a_file_is_told_so(name: str, module: str) -> None:
    with pytest.raises(GradcheckError, match="has no file: it was typed at a prompt or made by exec"):
        fingerprint(as_rule(typed(TYPED[name], module)))


def test_the_request_and_versions_are_in_it() -> None:
    found = fingerprint(as_rule(bptt), effort="quick", seed=3)
    assert (found["effort"], found["seed"], found["claims"][0]) == ("quick", 3, "exact")
    assert {"python", "numpy", "sympy", "gradcheck"} <= set(found["versions"])
    assert json.loads(json.dumps(found)) == found, "a fingerprint is plain data"
