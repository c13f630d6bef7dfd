"""The command line: what it prints, what it writes, and the status that it leaves with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import gradcheck
from gradcheck.algorithms import CATALOGUE
from gradcheck.chapters import catalogue
from gradcheck.chapters.truncation import figures, monotony, nilpotent, signs
from gradcheck.cli import commands as cli
from gradcheck.engine.request import AuditRequest
from gradcheck.records import Chapter, Collection, Report
from gradcheck.reference.errors import GradcheckError
from gradcheck.report import from_json
from gradcheck.rules import load as targets

RULES = Path(__file__).parents[1] / "plain_rules.py"
pytestmark = pytest.mark.usefixtures("brief", "not_shrunk")
BADLY = {
    "syntax.py": ("def rule(problem:\n", "is not valid Python"),
    "exits.py": ("import sys\nsys.exit(5)\n", "could not be imported; it raised SystemExit: 5"),
    "raises.py": ("x = 1 / 0\n", "could not be imported; it raised ZeroDivisionError: division by zero"),
    "lacks.py": ("import not_installed_anywhere\n", "No module named 'not_installed_anywhere'; try: pip install not"),
    "torch_is_missing.py": (
        "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n",
        "No module named 'torch'; try: pip install 'rnn-gradcheck[torch]'",
    ),
    "another_numpy.py": ("import numpy.not_there\n", "the installed numpy lacks it: install another version"),
    "bare.py": ("import gradcheck\n@gradcheck.rule\ndef rule(problem): ...\n", "bare.py:2: @gradcheck.rule"),
    "text.py": ("import gradcheck\n\ngradcheck.rule('truncated(3)')\n", "write gradcheck.Truncated(tau=3)"),
    "kind.py": ("import gradcheck\n\ngradcheck.rule(gradcheck.Exact)\n", "kind.py:3: gradcheck.rule("),
    "none.py": ("import gradcheck\n\ngradcheck.rule()\ngradcheck.rule(3)\n", "none.py:4: gradcheck.rule(3)"),
    "empty.py": ("def helper(problem): return {}\n", "empty.py declares no rule; name one of its functions, such as"),
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In an empty folder, with what imports leave behind taken away."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(cli.app, [str(a) for a in arguments], prog_name="gradcheck")


def audit(*arguments: Any) -> Result:
    return run("audit", *arguments, "--effort", "quick")


def judged(*arguments: Any) -> tuple[Result, Report]:
    """One audit, and the report that it wrote."""
    result = audit(*arguments, "--json", "judged.json")
    record = from_json(Path("judged.json").read_text())
    assert isinstance(record, Report)
    return result, record


def words(report: Report) -> dict[str, str]:
    """The verdicts of a report by claim."""
    return {verdict.claim: verdict.word for verdict in report.verdicts}


def test_a_rule_that_holds_fits_on_a_screen() -> None:
    result = audit(f"{RULES}:good")
    assert result.exit_code == 0, result.output
    lines = result.stdout.rstrip("\n").split("\n")
    assert lines[0] == "good: all 3 claims hold"
    assert any(line.split() == ["PROVED", "exact"] for line in lines), result.stdout
    assert any(line.split() == ["SUPPORTED", "pure"] for line in lines), result.stdout
    assert len(lines) <= 30, f"{len(lines)} lines do not fit on a screen:\n{result.stdout}"
    assert max(map(len, lines)) <= 80, f"wider than 80 columns:\n{result.stdout}"
    assert "\x1b" not in result.output, "colours where there is no terminal"


def test_limits_end_a_call_and_in_process_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text(
        "import os, gradcheck\nfrom gradcheck.algorithms import bptt\nPID = os.getpid()\n"
        "@gradcheck.rule()\ndef loops(problem):\n    while True: pass\n"
        "@gradcheck.rule()\ndef stays(problem):\n    assert os.getpid() == PID\n    return bptt(problem)\n"
    )
    result, report = judged("here:loops", "--call-seconds", "0.5")
    assert result.exit_code == 1, result.output
    assert words(report) == {"pure": "ERROR", "stable": "NOT RUN", "exact": "NOT RUN"}
    assert "0.5 s" in report.verdicts[0].statement
    assert audit("here:stays").exit_code == 1, "the rule ran in the process of the command"
    assert audit("here:stays", "--in-process").exit_code == 0


def test_verbose_says_what_could_not_be_seen() -> None:
    brief, verbose = audit(f"{RULES}:good").stdout, audit(f"{RULES}:good", "--verbose").stdout
    assert "could not see" not in brief and "could not see: differences that rounding" in verbose
    assert "oracle agreement" not in brief and "oracle agreement: digits of agreement" in verbose


def test_a_refuted_rule_shows_a_program_that_runs() -> None:
    result, report = judged(f"{RULES}:wrong")
    assert result.exit_code == 1, result.output
    assert words(report) == {"pure": "SUPPORTED", "stable": "SUPPORTED", "exact": "REFUTED"}
    program = result.stdout[result.stdout.index("import numpy as np") :].split("\n──", 1)[0]
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and "off by" in ran.stdout, f"{ran.stderr}\n{program}"


def test_a_module_alone_means_every_rule_that_it_declares(tmp_path: Path) -> None:
    (tmp_path / "two_rules.py").write_text(
        "import gradcheck\nfrom gradcheck.algorithms import bptt\n"
        "@gradcheck.rule()\ndef first(problem): return bptt(problem)\n"
        "@gradcheck.rule()\ndef second(problem): return bptt(problem)\n"
        "def third(problem): return {}\n"
    )
    for target, arguments, verdicts in (
        ("two_rules", (), "exact PROVED, stable SUPPORTED, pure SUPPORTED"),
        ("two_rules.py", ("--claim", "pure"), "pure SUPPORTED"),
    ):
        result = audit(target, "--quiet", *arguments)
        wanted = [f"{name}: {verdicts}" for name in ("first", "second")]
        assert result.stdout.split("\n")[:2] == wanted, result.output
        assert result.exit_code == 0


def test_the_names_of_shipped_rules_are_targets() -> None:
    result = audit("bptt", "--network", "tanh", "--quiet")
    assert result.exit_code == 0, result.output
    assert result.stdout == "bptt: exact PROVED, cost ROUNDING-FREE, stable SUPPORTED, pure SUPPORTED\n", result.output


def test_claims_and_networks_take_the_place_of_the_declared_ones() -> None:
    result, report = judged(f"{RULES}:good", "--claim", "truncated(2)", "--claim", "pure", "--network", "tanh")
    assert result.exit_code == 1, result.output
    assert words(report) == {"pure": "SUPPORTED", "stable": "SUPPORTED", "truncated(2)": "REFUTED"}
    assert len(report.networks) == 1


def test_a_rule_that_declares_nothing_is_judged_on_exact_and_told_so() -> None:
    result, report = judged(f"{RULES}:bare", "-q")
    said = "bare: exact REFUTED, stable SUPPORTED, pure SUPPORTED"
    assert (result.exit_code, result.stdout) == (1, f"{said}\nwrote judged.json\n"), result.output
    assert report.notes == ("No claim declared; audited for `exact`. Choose another with --claim or @gradcheck.rule.",)
    pure = audit(f"{RULES}:bare", "--claim", "pure")
    assert pure.exit_code == 0 and "note: no claim about its result was judged; give one with --claim" in pure.stdout


def test_a_claim_that_is_not_judged_is_no_pass() -> None:
    result, report = judged(f"{RULES}:good", "--claim", "aligned(given)")
    assert result.exit_code == 3, result.output
    assert words(report)["aligned(given)"] == "NOT RUN"


def test_what_a_rule_prints_does_not_reach_the_terminal() -> None:
    result = audit(f"{RULES}:talkative")
    assert result.exit_code == 0, result.output
    assert "it printed, first 'on standard output'" in " ".join(result.stdout.split())
    assert result.stdout.count("on standard output") == 1 and "on standard error" not in result.output


USAGE: list[tuple[list[str], list[str]]] = [
    (["audit", ""], ["''", "package.module:rule", "bptt"]),
    (["audit", "."], ["'.'", "my_rules.py"]),
    (["audit", "..rules:bptt"], ["'..rules'"]),
    (["audit", "os:path"], ["module"]),
    (["audit", f"{RULES}:good", "--claim", "nonsense"], ["'nonsense'", "exact", "truncated(tau)", "pure"]),
    (["audit", "no_such_module"], ["'no_such_module'"]),
    (["audit", "bpt"], ["did you mean bptt?"]),
    (["audit", "no_such_module:rule"], ["'no_such_module'"]),
    (["audit", "no_such_file.py:rule"], ["'no_such_file.py'"]),
    (["audit", f"{RULES}:no_such_rule"], ["'no_such_rule'", "good"]),
    (["audit", f"{RULES}:god"], ["did you mean good?"]),
    (["audit", f"{RULES}:"], ["package.module:rule"]),
    (["audit", f"{RULES}:two_arguments"], ["two_arguments"]),
    (["audit", f"{RULES}:good", "--claim", "exakt"], ["'exakt'"]),
    (["audit", f"{RULES}:good", "--claim", "truncated"], ["truncated(tau)"]),
    (["audit", f"{RULES}:good", "--network", "tanhh"], ["tanhh"]),
    (["audit", f"{RULES}:good", "--network", "tanh,,"], ["'tanh,,'", "activation,output,loss"]),
    (["audit", f"{RULES}:good", "--network", "lstmm:tanh"], ["'lstmm'", "context:", "lstm"]),
    (["audit", f"{RULES}:good", "--network", "lstm,peephole=true:tanh"], ["'peephole'", "peepholes", "name=value"]),
    (["audit", f"{RULES}:good", "--network", "lstm,peepholes=3:tanh"], ["peepholes=3", "True"]),
    (["audit", f"{RULES}:good", "--network", "context,biases=1:tanh"], ["'biases'", "initial_state"]),
    (["audit", f"{RULES}:good", "--effort", "heroic"], ["heroic", "full", "quick"]),
    (["audit", f"{RULES}:good", "--seed", "-1"], ["--seed"]),
    (["audit", f"{RULES}:good", "--json", "missing/report.json"], ["'missing'", "mkdir -p missing"]),
    (["audit", f"{RULES}:good", "--json", "report.html"], ["--json", "'report.html'", ".json"]),
    (["audit", f"{RULES}:good", "--html", "."], ["'.'", "report.html"]),
    (["audit", f"{RULES}:good", "--results", "a.txt"], ["--results", "'a.txt'", ".jsonl"]),
    (["audit", f"{RULES}:good", "--budget", "soon"], ["--budget", "'soon'", "minutes=10"]),
    (["audit", f"{RULES}:good", "--expect", "exact"], ["--expect", "'exact'", "CLAIM=WHY"]),
    (["audit", f"{RULES}:good", "--jobs", "2", "--dask", "tcp://nowhere:1"], ["--jobs", "--dask"]),
    (["report", "--md", "missing/report.md"], ["'missing'"]),
    (["replay", "case.json"], ["TARGET"]),
    (["replay", "case.json", "bptt"], ["'case.json'"]),
    (["repaly"], ["repaly"]),
    (["audit", f"{RULES}:good", "--call-seconds", "0"], ["--call-seconds", "0"]),
    (["audit", f"{RULES}:good", "--memory", "nan"], ["--memory", "nan"]),
]
"""Arguments that cannot be used, and the words that the message must have: what was given, and what to give instead."""


@pytest.mark.parametrize(("arguments", "words"), USAGE, ids=[" ".join(a).replace(str(RULES), "") for a, _ in USAGE])
def test_what_cannot_be_used_leaves_with_2_and_a_message(
    arguments: list[str], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "report", lambda **_: pytest.fail("judged before the path was looked at"))
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    said = " ".join(result.stderr.replace("│", " ").split())
    assert [word for word in words if word not in said] == [], said
    assert "Traceback" not in result.output, result.output


@pytest.mark.parametrize("name", BADLY)
def test_a_module_that_cannot_be_imported_is_named(name: str, tmp_path: Path) -> None:
    text, fragment = BADLY[name]
    (tmp_path / name).write_text(text)
    result = audit(name)
    assert result.exit_code == 2, result.output
    assert fragment in result.stderr, f"wanted {fragment!r} in: {result.stderr}"
    assert "Traceback" not in result.output, result.output


@pytest.mark.parametrize("name", [rule.__name__ for rule in CATALOGUE])
def test_a_shipped_rule_is_suggested_for_a_name_near_its_own(name: str) -> None:
    for near in (
        name.upper(),
        name.lower(),
        name.swapcase(),
        name[:-1],
        f"{name}s",
        name.replace("_", "-"),
        f"{name}.py",
    ):
        if near != name:
            with pytest.raises(GradcheckError, match=f"did you mean {name}[?]"):
                targets.resolve(near)


def test_no_rule_is_suggested_for_a_name_unlike_all() -> None:
    with pytest.raises(GradcheckError) as caught:
        targets.resolve("momentum")
    assert "did you mean" not in str(caught.value)


def test_one_bad_target_stops_no_other() -> None:
    result = audit("nowhere:rule", f"{RULES}:good", f"{RULES}:two_arguments", f"{RULES}:nothing", "--json", "all.json")
    assert result.exit_code == 1, f"a rule that failed counts before a bad target: {result.output}"
    assert "'nowhere'" in result.stderr and "two_arguments" in result.stderr
    record = from_json(Path("all.json").read_text())
    assert isinstance(record, Collection)
    found = {report.rule.rpartition(":")[2]: [v.word for v in report.verdicts] for report in record.reports}
    assert found == {
        "rule": [],
        "good": ["SUPPORTED", "SUPPORTED", "PROVED"],
        "two_arguments": [],
        "nothing": ["REFUTED", "NOT RUN", "NOT RUN"],
    }
    assert "'nowhere'" in record.reports[0].notes[0]
    assert not record.passed


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        (["undeclared"], 0),
        (["undeclared", "two_arguments"], 2),
        (["two_arguments", "nothing", "undeclared"], 1),
        (["raises"], 1),
    ],
)
def test_the_status_that_counts_first_is_left_with(rules: list[str], status: int) -> None:
    assert audit(*[f"{RULES}:{rule}" for rule in rules], "--quiet").exit_code == status


def test_a_claim_that_is_not_settled_counts_before_one_that_holds(tmp_path: Path) -> None:
    assert audit(f"{RULES}:good", "--claim", "pure", "--claim", "aligned(given)", "--quiet").exit_code == 3
    assert audit(f"{RULES}:good", "no:rule", "--claim", "aligned", "--quiet").exit_code == 2


def test_every_format_is_written() -> None:
    options = ["--html", "a.html", "--json", "a.json", "--md", "a.md", "--junit", "a.xml"]
    result = audit(f"{RULES}:good", *options)
    assert result.exit_code == 0, result.output
    assert json.loads(Path("a.json").read_text()), "empty JSON"
    assert "<html" in Path("a.html").read_text() and "good" in Path("a.md").read_text()
    assert ET.parse("a.xml").getroot().get("failures") == "0"
    assert all(f"wrote {name}" in result.stdout for name in ("a.html", "a.json", "a.md", "a.xml")), result.stdout


def test_a_file_that_cannot_be_written_later_costs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    resolve = targets.resolve

    def after_the_check(text: str) -> Any:
        shutil.rmtree(folder, ignore_errors=True)
        return resolve(text)

    monkeypatch.setattr(targets, "resolve", after_the_check)
    result = audit(f"{RULES}:undeclared", "--json", folder / "a.json", "--md", tmp_path / "a.md")
    assert result.exit_code == 2, result.output
    assert repr(str(folder)) in result.stderr
    assert "undeclared" in result.stdout, "what was computed was not printed"
    assert "undeclared" in (tmp_path / "a.md").read_text(), "the other file was not written"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="a folder that even root cannot write into")
def test_a_folder_that_is_not_writable_has_a_message() -> None:
    result = audit(f"{RULES}:undeclared", "--json", "/proc/report.json")
    assert result.exit_code == 2, result.output
    assert "'/proc/report.json'" in result.stderr, result.stderr
    assert "Traceback" not in result.output


def test_an_interrupt_keeps_what_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    from gradcheck.engine import scheduler

    answer = scheduler.answer

    async def interrupted(self: Any, judged: Any) -> None:
        if judged.audit.rule == "wrong":
            raise KeyboardInterrupt
        await answer(self, judged)

    monkeypatch.setattr(scheduler, "answer", interrupted)
    result = audit(f"{RULES}:good", f"{RULES}:wrong", f"{RULES}:talkative", "--json", "part.json")
    assert result.exit_code == 130, result.output
    record = from_json(Path("part.json").read_text())
    assert isinstance(record, Collection)
    assert [(r.rule, [v.word for v in r.verdicts]) for r in record.reports] == [
        ("good", ["SUPPORTED", "SUPPORTED", "PROVED"]),
        ("wrong", ["SUPPORTED", "SUPPORTED", "NOT RUN"]),
    ]


def test_an_error_of_our_own_stops_no_other_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    from gradcheck.engine import scheduler

    answer = scheduler.answer

    async def failing(self: Any, judged: Any) -> None:
        if judged.audit.rule == "wrong":
            raise AssertionError("a bug")
        await answer(self, judged)

    monkeypatch.setattr(scheduler, "answer", failing)
    result = audit(f"{RULES}:wrong", f"{RULES}:undeclared", "--quiet")
    assert result.exit_code == 2, result.output
    assert "gradcheck itself failed" in result.stderr and "AssertionError: a bug" in result.stderr
    assert "undeclared: pure SUPPORTED" in result.stdout


def stub_report(monkeypatch: pytest.MonkeyPatch) -> None:
    first = catalogue.catalogue()[:1]
    quick = AuditRequest(first[0], claims=(gradcheck.Exact(),), networks=(gradcheck.Network(),), effort="quick")
    monkeypatch.setattr(catalogue, "catalogue", lambda: first)
    monkeypatch.setattr(catalogue, "audits", lambda *_: [quick])
    monkeypatch.setattr(
        catalogue, "CHAPTERS", {"truncation": lambda _: Chapter("truncation", "Truncation, measured", "")}
    )
    monkeypatch.setattr(catalogue, "COUNTING", ())


def test_the_report_is_written_to_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    stub_report(monkeypatch)
    result = run("report", "--effort", "quick")
    assert result.exit_code == 0, result.output
    assert "bptt" in result.stdout and "Truncation, measured" in result.stdout, result.stdout
    assert result.stdout.rstrip().endswith("wrote gradcheck-report.html")
    assert "<html" in Path("gradcheck-report.html").read_text()


def test_a_report_in_other_formats_writes_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    stub_report(monkeypatch)
    assert run("report", "--json", "r.json", "--md", "r.md", "--quiet").exit_code == 0
    assert sorted(p.name for p in Path().iterdir()) == ["r.json", "r.md"]


def test_an_interrupted_report_keeps_the_rules_that_were_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    stub_report(monkeypatch)

    def stop(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(catalogue._Parts, "take", stop)
    result = run("report", "--json", "part.json")
    assert result.exit_code == 130, result.output
    record = from_json(Path("part.json").read_text())
    assert isinstance(record, Collection)
    assert [r.rule for r in record.reports] == ["bptt"] and "interrupted" in record.title


def some_of_truncation(progress: Any) -> Chapter:
    """The parts of each kind that take the least: statements, figures and a table."""
    progress("some of it")
    judged = (*nilpotent.statements(), *signs.statements(), *monotony.statements())
    return Chapter("truncation", "Truncation", "Some.", judged, tuple(figures.figures()), (monotony.table(),))


def test_chapters_judged_in_a_process_of_their_own_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "catalogue", tuple)
    monkeypatch.setattr(catalogue, "CHAPTERS", {"truncation": some_of_truncation})
    monkeypatch.setattr(catalogue, "COUNTING", ())
    alone, beside = catalogue.report(jobs=1), catalogue.report(jobs=2)
    assert alone == beside, "a chapter depends on the process that judged it"


def test_the_list_has_every_shipped_rule_and_claim() -> None:
    result = run("list")
    assert result.exit_code == 0, result.output
    for rule in catalogue.catalogue():
        assert f"  {rule.__name__} " in result.stdout, f"{rule.__name__} is not listed"
    for claim in ("exact", "truncated(tau)", "windowed(horizon, stride)", "pure"):
        assert f"  {claim}" in result.stdout, f"{claim} is not listed"
    assert max(map(len, result.stdout.split("\n"))) <= 80


@pytest.mark.parametrize("arguments", [[], ["audit"], ["report"]], ids=" ".join)
def test_help_has_examples_and_fits(arguments: list[str]) -> None:
    result = run(*arguments, "--help")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.split("\n"))) <= 80, result.stdout
    assert "gradcheck report" in result.stdout or "gradcheck audit bptt" in result.stdout or "audit" in result.stdout


def child(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **options)


@pytest.mark.processes
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_wait_for_nothing(option: str) -> None:
    program = (
        "import atexit, sys\n"
        "heavy = {'sympy', 'matplotlib', 'numpy', 'flint', 'mpmath', 'hypothesis', 'jinja2'}\n"
        "atexit.register(lambda: print('loaded', sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        f"sys.argv = ['gradcheck', {option!r}]\n"
        "from gradcheck.cli import main\nmain()\n"
    )
    ran = child("-c", program)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.strip() == "loaded []", ran.stderr
    assert option == "--help" or ran.stdout == f"gradcheck {gradcheck.__version__}\n"


@pytest.mark.processes
def test_the_module_runs_as_a_program_on_a_terminal_without_box_characters() -> None:
    ran = child(
        "-m",
        "gradcheck",
        "audit",
        f"{RULES}:wrong",
        "--effort",
        "quick",
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert ran.returncode == 1, ran.stderr
    assert "wrong is not exact" in ran.stdout and "Traceback" not in ran.stderr


@pytest.mark.skipif(os.name == "nt", reason="sends an interrupt as a terminal does")
def heeding_interrupts() -> None:
    """What a shell starts in the background ignores interrupts, and so does what that starts in turn."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.processes
def test_ctrl_c_leaves_with_130_and_keeps_the_first_sign_of_life_within_two_seconds(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import pathlib, time, gradcheck\n"
        "@gradcheck.rule()\ndef slow(problem):\n    pathlib.Path('running').touch()\n    time.sleep(60)\n"
    )
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "gradcheck", "audit", "slow.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeding_interrupts,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    waited = time.monotonic() - start
    while not Path("running").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, f"{process.returncode}: {out}\n{err}"
    assert "Traceback" not in err, err
    assert "loading slow.py" in first or "slow: " in first, first
    assert waited < 10, f"the first line came after {waited:.1f} s"  # 1 s is meant; a busy machine gets more


def test_resolve_tells_a_package_that_exports_rules_from_one_that_imports_them() -> None:
    names = [name for name, _ in targets.resolve("gradcheck.algorithms")]
    assert "gradcheck.algorithms:bptt" in names and "gradcheck.algorithms:RTRL" in names
    with pytest.raises(GradcheckError, match="declares no rule"):
        targets.resolve("gradcheck.chapters.catalogue")


@pytest.mark.processes
@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_reader_that_has_gone_away_costs_no_file_and_no_status(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gradcheck", "audit", f"{RULES}:wrong", "--effort", "quick", "--case", "case.json"]
    piped: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, **piped) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(timeout=120) == 1, errors
    assert (tmp_path / "case.json").is_file(), errors
    assert "Traceback" not in errors and "Broken" not in errors, errors


def rule_file(folder: Path, helper: str, name: str) -> Path:
    folder.mkdir()
    (folder / "helps_it.py").write_text(helper, "utf-8")
    (folder / name).write_text(
        "import gradcheck\n@gradcheck.rule(gradcheck.Exact())\ndef mine(problem):\n"
        "    from helps_it import result\n    return result(problem)\n",
        "utf-8",
    )
    return folder / name


def test_files_whose_helpers_have_one_name_are_not_given_each_others(tmp_path: Path) -> None:
    right = "from gradcheck.algorithms import bptt as result\n"
    first = rule_file(tmp_path / "a", right, "first_of_two.py")
    again = rule_file(tmp_path / "b", "def result(problem):\n    return {}\n", "second_of_two.py")
    code = (
        "import sys; from gradcheck.rules import load as targets\n"
        "targets.load_rule(sys.argv[1] + ':mine'); import helps_it\n"
        "targets.load_rule(sys.argv[2] + ':mine')\n"
    )

    def loaded(*paths: Path) -> str:
        return subprocess.run([sys.executable, "-c", code, *map(str, paths)], capture_output=True, text=True).stderr

    said = loaded(first, again).splitlines()[-1]
    assert f"second_of_two.py imports helps_it, which is {again.parent / 'helps_it.py'}, but" in said, said
    assert "audit them in two runs" in said
    assert loaded(first, first) == ""
    (again.parent / "helps_it.py").unlink()
    assert loaded(first, again) == "", "a file that has no such module beside it may use the other's"
