"""README.md and docs/: their Python runs, their transcripts are what commands print, their links lead somewhere."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase
from right_rules import bptt
from transcripts import CONSOLE, PAGES, ROOT, Shown, again, read, rule_files
from wrong_rules import wrong

pytestmark = pytest.mark.jax

PYTHON = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAMES = {page: str(page.relative_to(ROOT)) for page in PAGES}
SNIPPETS = [
    pytest.param(page, code, id=f"{NAMES[page]}-{number}")
    for page in PAGES
    for number, code in enumerate(PYTHON.findall(page.read_text()))
]
FRAMEWORKS = ("torch", "jax")


def missing(code: str) -> list[str]:
    """The frameworks that a snippet or command needs and that are not installed."""
    return [name for name in FRAMEWORKS if f"import {name}" in code and importlib.util.find_spec(name) is None]


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with every file that the pages ask to save, from which Python imports."""
    for page in PAGES:
        for name, code in rule_files(page.read_text()).items():
            (tmp_path / name).write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("saved", "brief", "not_shrunk")
@pytest.mark.parametrize(("page", "code"), SNIPPETS)
def test_snippets_run(page: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On two of the networks that a rule declares, and without the sizes around the numbers in its code."""
    if missing(code):
        pytest.skip(f"not installed: {missing(code)}")
    from gradcheck.engine.request import Prepared
    from gradcheck.judge.effort import EFFORTS

    monkeypatch.setitem(EFFORTS, "full", EFFORTS["quick"])
    monkeypatch.setattr("gradcheck.evidence.floats.branches.screened", lambda *_: [])
    monkeypatch.setattr(Prepared, "networks", property(lambda self: self.rule.declaration.networks[:2]))
    module = types.ModuleType("shown")
    exec(compile(code, NAMES[page], "exec"), module.__dict__)


def test_snippets_are_found() -> None:
    files = {name for page in PAGES for name in rule_files(page.read_text())}
    assert {"my_rule.py", "broken.py", "my_rtrl.py"} <= files
    assert len(SNIPPETS) >= 10


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.parametrize("page", [page for page in PAGES if CONSOLE.search(page.read_text())], ids=NAMES.get)
def test_transcripts_are_what_the_commands_print(page: Path, tmp_path: Path) -> None:
    skip = [] if importlib.util.find_spec("torch") else ["truncated_function", "torch"]
    found = again(page, tmp_path, skip=skip)
    assert found == page.read_text(), f"write it anew: python tests/transcripts.py {NAMES[page]}"


@pytest.mark.processes
def test_a_transcript_that_is_old_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ gradcheck --version\ngradcheck 0.0.0\n```\n")
    assert again(page, tmp_path) == page.read_text().replace("0.0.0", __import__("gradcheck").__version__)


def test_a_transcript_may_leave_out_its_end() -> None:
    assert list(read("$ one\na\nb\n...\n$ two\nc\n")) == [Shown("one", ("a", "b"), False), Shown("two", ("c",), True)]


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    """The relative links of a page that lead nowhere."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if "://" not in link and (not target.exists() or (anchor and anchor not in anchors(target))):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=NAMES.get)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Here it is\n[a](#here-it-is) [b](#there) [c](page.md) [d](none.md) [e](https://example.org)")
    assert broken_links(page) == ["#there", "none.md"]


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
        waiting += [(page.parent / link).resolve() for link in links if "://" not in link]
    assert {page.resolve() for page in PAGES} <= seen


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


def test_the_command_line_page_has_every_command() -> None:
    from typer.main import get_command

    from gradcheck.cli.commands import app

    page = (ROOT / "docs/reference/command-line.md").read_text()
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert [name for name in commands if f"`gradcheck {name}" not in page] == []


def property_tests(rule: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tests of the page on property tests, about that rule."""
    module = types.ModuleType("my_rule")
    module.bptt = rule  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_rule", module)
    (code,) = PYTHON.findall((ROOT / "docs/how-to/property-tests.md").read_text())
    space: dict[str, Any] = {"__name__": "shown", "phases": [Phase.generate]}
    assert code.count("deadline=None") == 2
    code = code.replace("deadline=None", "deadline=None, phases=phases")  # for nothing is to be learned of a small one
    exec(compile(code, "docs/how-to/property-tests.md", "exec"), space)
    return [value for name, value in space.items() if name.startswith("test_")]


def test_the_property_tests_that_are_shown_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    tests = property_tests(bptt, monkeypatch)
    assert len(tests) == 2
    for test in tests:
        test()


def first_unit_doubled(problem: Any) -> Any:
    found = bptt(problem)
    found["W"][:, 0] *= 2
    return found


@pytest.mark.parametrize(("number", "rule"), [(0, wrong("slope-missing")), (1, first_unit_doubled)])
def test_each_property_test_fails_on_a_wrong_rule(number: int, rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError):
        property_tests(rule, monkeypatch)[number]()


def glossary(text: str) -> list[str]:
    return re.findall(r"^\| ([\w -]+) \| (?!meaning)", text, re.MULTILINE)


def test_the_glossary_has_each_word_once_and_in_order() -> None:
    words = glossary((ROOT / "docs/glossary.md").read_text())
    assert words == sorted(set(words)), "sort the glossary"
    house = (
        "worker timeout task cache fingerprint shrink replay fixture executor coverage branch counterexample allowance"
    )
    assert set(house.split()) <= set(words)


def test_python_of_every_page_parses() -> None:
    for page in PAGES:
        for code in PYTHON.findall(page.read_text()):
            ast.parse(code, NAMES[page])
