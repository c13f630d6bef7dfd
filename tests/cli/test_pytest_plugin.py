"""The pytest plugin, run in sessions of its own."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import itertools
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plain_rules
import pytest

import gradcheck
import gradcheck.algorithms
import gradcheck.engine.audit
import gradcheck.pytest_plugin
import gradcheck.reference
from gradcheck.algorithms import bptt
from gradcheck.pytest_plugin.audits import Audits
from gradcheck.pytest_plugin.requests import Request
from gradcheck.pytest_plugin.time_limits import ending_the_audit
from gradcheck.records import Collection, Report, Stage, Status, Strength, Verdict
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import Network
from gradcheck.report import from_json

# All stay loaded: a session in this process would load copies of its own, and two copies of SymPy do not mix.
for _package in (gradcheck, gradcheck.reference, gradcheck.algorithms):
    for _module in pkgutil.walk_packages([str(Path(str(_package.__file__)).parent)], f"{_package.__name__}."):
        if not _module.name.endswith("__main__") and ".libraries." not in _module.name:  # those import frameworks
            importlib.import_module(_module.name)

pytest_plugins = "pytester"
pytestmark = pytest.mark.usefixtures("brief", "not_shrunk")

INSTALLED = any(point.name == "gradcheck" for point in importlib.metadata.entry_points(group="pytest11"))
"""Whether the plugin loads by itself; in a checkout that is not installed it is named."""
PLUGIN = [] if INSTALLED else ["-p", "gradcheck.pytest_plugin"]

HEAD = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import gradcheck
from plain_rules import *
from gradcheck.algorithms import *
"""


def session(pytester: pytest.Pytester, text: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(test_rules=HEAD + text)
    own = ["-W", "error", "-p", "no:cacheprovider", "-p", "no:randomly", *PLUGIN]
    return pytester.runpytest_inprocess(*own, "--strict-markers", *arguments)


EMPTY = """
@gradcheck.parametrize({rules})
def test_rule(verdict):
    ...
"""


def test_one_test_for_each_rule_and_claim_and_no_audit_while_collecting(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradcheck.engine.audit, "audit", lambda *_, **__: pytest.fail("audited while collecting"))
    text = EMPTY.format(rules="[bptt, truncated_bptt, windowed_bptt, RTRL, good, undeclared, bound_tau]")
    result = session(pytester, text, "--collect-only", "-q")
    assert result.ret == 0
    named = [line.partition("[")[2].removesuffix("]") for line in result.outlines if "::" in line]
    named = [name.partition("(time=")[0] for name in named]
    assert named == [
        *("bptt-pure", "bptt-stable", "bptt-exact", "bptt-cost"),
        *("truncated_bptt-pure", "truncated_bptt-stable", "truncated_bptt-truncated(tau)", "truncated_bptt-cost"),
        *("windowed_bptt-pure", "windowed_bptt-stable", "windowed_bptt-windowed(horizon,stride)", "windowed_bptt-cost"),
        *("RTRL-pure", "RTRL-stable", "RTRL-exact", "RTRL-online", "RTRL-cost"),
        *("good-pure", "good-stable", "good-exact"),
        "undeclared-pure",
        *("truncated_bptt(tau=3)-pure", "truncated_bptt(tau=3)-stable", "truncated_bptt(tau=3)-truncated(3)"),
    ]


def test_a_claim_that_fails_fails_its_test_with_the_counterexample_and_nothing_of_ours(
    pytester: pytest.Pytester,
) -> None:
    result = session(pytester, EMPTY.format(rules="[undeclared, wrong]"), "--gradcheck-cases=made/cases")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        ["*test_rule?wrong-exact?*", "wrong, exact: REFUTED", " *R[[]0,0] is *, should be *", "import numpy as np"]
    )
    result.stdout.fnmatch_lines(["FAILED test_rules.py::test_rule[[]wrong-exact] - Failed: wrong, exact: REFUTED"])
    result.stdout.no_fnmatch_line("*pytest_plugin*")
    result.stdout.no_fnmatch_line("*traceback*")
    assert_the_program_runs_as_it_stands(result.outlines)
    (case,) = (pytester.path / "made" / "cases").iterdir()
    assert case.name == "wrong-exact.json"
    assert gradcheck.replay(case, plain_rules.wrong).outcome is gradcheck.Outcome.STILL_WRONG
    result.stdout.fnmatch_lines([f"*gradcheck replay {case} *:wrong"])


def assert_the_program_runs_as_it_stands(lines: list[str]) -> None:
    start = lines.index("import numpy as np")
    stop = next(n for n, line in enumerate(lines) if line.startswith("print("))
    program = "\n".join(lines[start : stop + 1])
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and "off by" in ran.stdout, f"{ran.stderr}\n{program}"


def test_the_body_asks_for_more_and_its_own_failures_hide_our_frames(pytester: pytest.Pytester) -> None:
    text = """
class TestRules:
    @gradcheck.parametrize([good])
    def test_rule(self, verdict, tmp_path):
        assert verdict.strength >= gradcheck.Strength.EXACT
"""
    result = session(pytester, text)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*assert *SUPPORTED* >= *EXACT*"])
    result.stdout.no_fnmatch_line("*pytest_plugin*")


DEADLY = """
import os
HERE = os.getpid()

@gradcheck.rule(gradcheck.Pure())
def deadly(problem):
    if os.getpid() != HERE:
        os._exit(7)
    return good(problem)
"""


DIED = " *deadly ended its process with status 7 (at T=5, I=4, D=2, K=3)"


def test_a_rule_runs_in_a_process_of_its_own_unless_it_is_wanted_here(pytester: pytest.Pytester) -> None:
    text = DEADLY + EMPTY.format(rules="[deadly]")
    apart = session(pytester, text)
    apart.assert_outcomes(failed=1)
    apart.stdout.fnmatch_lines([DIED])
    session(pytester, text, "--gradcheck-in-process").assert_outcomes(passed=1)


def test_what_is_not_judged_is_neither_passed_nor_skipped(pytester: pytest.Pytester) -> None:
    text = "@gradcheck.parametrize([good], claims=[gradcheck.Aligned(given=True)])\ndef test_rule(verdict): ..."
    result = session(pytester, text)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["good, aligned(given): NOT RUN", "*given problems, and there are none*"])


def test_what_is_no_rule_fails_with_that_message_only(pytester: pytest.Pytester) -> None:
    text = EMPTY.format(rules="[two_arguments, 3, good]")
    text += "@gradcheck.parametrize([good], claims=[gradcheck.Truncated('h')])\ndef test_claim(verdict): ..."
    result = session(pytester, text)
    result.assert_outcomes(passed=3, failed=5)
    result.stdout.fnmatch_lines(
        ["*two_arguments-unusable*", "a rule takes one argument, the problem; two_arguments is*"]
    )
    result.stdout.fnmatch_lines(["*int-unusable*", "3 is not a rule*"])
    result.stdout.fnmatch_lines(["truncated(h) needs the setting 'h'*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_rule_that_breaks_fails_each_of_its_claims(pytester: pytest.Pytester) -> None:
    text = "@gradcheck.parametrize([raises, exits], claims=[gradcheck.Exact()])\ndef test_rule(verdict): ..."
    result = session(pytester, text)
    result.assert_outcomes(failed=6)
    result.stdout.fnmatch_lines(["raises, pure: ERROR", " *raises raised ValueError: no such luck*"])
    result.stdout.fnmatch_lines(["raises, exact: NOT RUN", " *not judged: raises raised ValueError*"])


def test_a_rule_is_audited_once_in_a_session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    audit, called = gradcheck.engine.audit.audit, []

    def counting(rule: Any, *arguments: Any, **named: Any) -> Any:
        called.append(rule.__name__)
        return audit(rule, *arguments, **named)

    monkeypatch.setattr(gradcheck.engine.audit, "audit", counting)
    text = EMPTY.format(rules="[good]") + EMPTY.format(rules="[good]").replace("test_rule", "test_again")
    session(pytester, text).assert_outcomes(passed=6)
    assert called == ["good"]


def test_an_error_of_our_own_is_told_as_one(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradcheck.engine.audit, "audit", None)
    result = session(pytester, EMPTY.format(rules="[good]"))
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["gradcheck itself failed on good; please report this:", "TypeError: *"])


def test_problems_of_ones_own_are_judged_and_bad_ones_fail_the_test(pytester: pytest.Pytester) -> None:
    text = """
one = gradcheck.Problem({name: [[0.5]] for name in "WRV"}, [[1.0]], [[2.0]])
gradcheck.save_problems(one, "one.json")

@gradcheck.parametrize([good], problems=[one])
def test_list(verdict):
    assert verdict.claim != "exact" or "given" in {evidence.kind for evidence in verdict.evidence}

@gradcheck.parametrize([good], problems="one.json")
def test_file(verdict):
    assert verdict.claim != "exact" or "given" in {evidence.kind for evidence in verdict.evidence}

@gradcheck.parametrize([good], problems=[3])
def test_bad(verdict): ...
"""
    result = session(pytester, text)
    result.assert_outcomes(passed=6, failed=3)
    result.stdout.fnmatch_lines(["problem 1 is 3, a int; wanted gradcheck.Problem*"])


def test_without_the_plugin_the_tests_are_judged_all_the_same(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_rules=HEAD + EMPTY.format(rules="[wrong]"))
    blocked = ["-p", "no:gradcheck", "-p", "no:gradcheck.pytest_plugin", "-p", "no:cacheprovider"]
    pytester.runpytest_inprocess(*blocked).assert_outcomes(passed=2, failed=1)


@pytest.mark.parametrize("suffix", ["json", "html", "md", "xml"])
def test_the_report_of_a_session(pytester: pytest.Pytester, suffix: str) -> None:
    result = session(pytester, EMPTY.format(rules="[nothing, raises]"), f"--gradcheck-report=all.{suffix}")
    result.stdout.fnmatch_lines([f"gradcheck: wrote *all.{suffix} (2 audits)"])
    text = (pytester.path / f"all.{suffix}").read_text()
    assert "nothing" in text and "raises" in text
    if suffix == "json":
        record = from_json(text)
        assert isinstance(record, Collection) and [r.rule for r in record.reports] == ["nothing", "raises"]


def test_a_session_without_audits_leaves_an_older_report_alone(pytester: pytest.Pytester) -> None:
    (pytester.path / "all.md").write_text("older")
    result = session(pytester, "def test_nothing(): ...", "--gradcheck-report=all.md")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["gradcheck: no audit was made; *all.md was not written"])
    assert (pytester.path / "all.md").read_text() == "older"


@pytest.mark.parametrize(
    ("path", "fragment"),
    [("missing/all.json", "*missing' does not exist*"), ("all.txt", "*names no format of report*"), (".", "*folder*")],
)
def test_a_report_that_cannot_be_written_is_told_before_any_test(
    pytester: pytest.Pytester, path: str, fragment: str
) -> None:
    result = session(pytester, "def test_nothing(): assert False", f"--gradcheck-report={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --gradcheck-report: {fragment}"])


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="a folder that even root cannot write into")
def test_a_report_that_turns_out_not_writable_is_no_success(pytester: pytest.Pytester) -> None:
    result = session(pytester, EMPTY.format(rules="[undeclared]"), "--gradcheck-report=/proc/all.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["gradcheck: cannot write '/proc/all.json'*"])
    result.assert_outcomes(passed=1)


@pytest.mark.processes
@pytest.mark.skipif(
    importlib.util.find_spec("xdist") is None, reason="pytest-xdist is missing; pip install pytest-xdist"
)
def test_a_worker_that_is_lost_is_named(pytester: pytest.Pytester) -> None:
    """In it, too, a rule runs in a process of its own."""
    text = DEADLY + EMPTY.format(rules="[deadly]") + "def test_end(): os._exit(1)\n"
    pytester.makepyfile(test_rules=HEAD + text)
    own = ["-W", "error", "-p", "no:cacheprovider", *PLUGIN, "-n", "1", "--max-worker-restart=0"]
    result = pytester.runpytest_subprocess(*own, "--gradcheck-report=all.json")
    result.stdout.fnmatch_lines([DIED])
    result.stdout.fnmatch_lines(["gradcheck: the audits of worker gw0 are missing*"])


def test_the_plugin_is_light() -> None:
    program = (
        "import sys, gradcheck.pytest_plugin\n"
        "heavy = {'numpy', 'sympy', 'matplotlib', 'flint', 'mpmath', 'hypothesis', 'rich', 'typer', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, "[]"), ran.stdout + ran.stderr


def test_the_tests_have_a_marker(pytester: pytest.Pytester) -> None:
    text = EMPTY.format(rules="[nothing]") + "def test_other(): ...\n"
    assert session(pytester, text, "-m", "not gradcheck").parseoutcomes() == {"passed": 1, "deselected": 3}
    assert session(pytester, text, "-m", "gradcheck", "--collect-only").parseoutcomes()["deselected"] == 1


def test_only_claims_that_have_tests_are_audited(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    audits = recorded_audits(monkeypatch)
    text = EMPTY.format(rules="[good, RTRL], networks=[gradcheck.Network()]")
    session(pytester, text, "-k", "RTRL-online or good-pure", "--gradcheck-report=a.json").assert_outcomes(passed=2)
    assert [(rule, claims) for rule, claims, _ in audits] == [("good", ["pure"]), ("RTRL", ["online"])]
    record = from_json((pytester.path / "a.json").read_text())
    assert isinstance(record, Collection)
    assert [[v.claim for v in report.verdicts] for report in record.reports] == [["pure"], ["pure", "online"]]


@pytest.mark.parametrize("effort", ["quick", "full"])
def test_the_effort_of_the_command_line_counts_first(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, effort: str
) -> None:
    audits = recorded_audits(monkeypatch)
    text = EMPTY.format(rules="[nothing]") + EMPTY.format(rules="[raises], effort='full'").replace("rule(", "more(")
    session(pytester, text, f"--gradcheck-effort={effort}")
    assert [how["effort"] for *_, how in audits] == [effort, effort]
    audits.clear()
    session(pytester, text)
    assert [how["effort"] for *_, how in audits] == ["quick", "full"]


def recorded_audits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str] | None, dict[str, Any]]]:
    """The audits that are made from now on: rule, claims, and the rest."""
    audit, made = gradcheck.engine.audit.audit, []

    def recording(rule: Any, claims: Any = None, **how: Any) -> Any:
        made.append((rule.__name__, None if claims is None else [*map(str, claims)], how))
        return audit(rule, claims, **{**how, "effort": "quick"})

    monkeypatch.setattr(gradcheck.engine.audit, "audit", recording)
    return made


def test_a_folder_for_cases_that_is_a_file_is_turned_away(pytester: pytest.Pytester) -> None:
    (pytester.path / "file").touch()
    assert session(pytester, "def test_nothing(): ...", "--gradcheck-cases=file").ret == pytest.ExitCode.USAGE_ERROR


def test_a_failure_on_one_line_is_located_at_the_users_test(pytester: pytest.Pytester) -> None:
    result = session(pytester, EMPTY.format(rules="[undeclared, wrong]"), "--tb=line", "-k", "undeclared-pure or exact")
    lines = result.outlines
    start = next(n for n, line in enumerate(lines) if "FAILURES" in line)
    stop = next(n for n, line in enumerate(lines) if "short test summary" in line)
    (line,) = lines[start + 1 : stop]
    path, number, message = line.split(":", 2)
    source = (pytester.path / path).read_text().splitlines()
    assert any("def test_rule" in text for text in source[int(number) - 1 : int(number) + 1]), (number, source)
    assert "wrong, exact: REFUTED" in message


needs_timeout = pytest.mark.skipif(
    importlib.util.find_spec("pytest_timeout") is None, reason="pytest-timeout is missing; pip install pytest-timeout"
)
SLOW = """
import time
@gradcheck.rule(gradcheck.Exact())
def slow(problem):
    time.sleep(0.05)
    return good(problem)
"""


@pytest.mark.processes
@needs_timeout
@pytest.mark.parametrize("isolated", [True, False])
def test_a_time_limit_ends_the_test_as_one(pytester: pytest.Pytester, isolated: bool) -> None:
    pytester.makepyfile(test_rules=HEAD + SLOW + EMPTY.format(rules="[slow], effort='full'"))
    own = ["-p", "no:cacheprovider", *PLUGIN, "--timeout=2", "-k", "exact"]
    result = pytester.runpytest_subprocess(*own, *([] if isolated else ["--gradcheck-in-process"]), timeout=100)
    result.assert_outcomes(failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*Timeout (>2.0s) from pytest-timeout.*"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


class Reached(Exception):
    """Raised by the handler of a time limit, as pytest-timeout does."""


def limited(work: Callable[[], object]) -> None:
    """Do some work within a time limit that is reached at once."""

    def handler(number: int, frame: object) -> None:
        raise Reached

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with ending_the_audit():
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def swallows_the_first() -> None:
    with contextlib.suppress(BaseException):
        signal.pause()
    signal.pause()


def raises_another() -> None:
    try:
        signal.pause()
    except BaseException as error:
        raise ValueError from error


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="alarms of POSIX")
@pytest.mark.parametrize("work", [signal.pause, swallows_the_first, raises_another])
def test_a_time_limit_is_lost_nowhere(work: Callable[[], object]) -> None:
    with pytest.raises(Reached):
        limited(work)


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="alarms of POSIX")
def test_without_a_time_limit_an_interrupt_stays_one() -> None:
    def interrupted() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        limited(interrupted)


def test_after_a_time_limit_the_other_claims_are_judged(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit, calls = gradcheck.engine.audit.audit, list[Any]()

    def limited_audit(rule: Any, claims: Any = None, **how: Any) -> Any:
        calls.append(claims)
        if len(calls) == 1:
            raise pytest.fail.Exception("Timeout", pytrace=False)
        return audit(rule, claims, **how)

    monkeypatch.setattr(gradcheck.engine.audit, "audit", limited_audit)
    session(pytester, EMPTY.format(rules="[good]")).assert_outcomes(passed=2, failed=1)


@pytest.mark.processes
@pytest.mark.skipif(importlib.util.find_spec("pytest_cov") is None, reason="pip install pytest-cov")
def test_coverage_sees_the_rule_in_process(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(own_rule=HEAD + "def mine(problem):\n    result = bptt(problem)\n    return result\n")
    pytester.makepyfile(
        test_rules=HEAD + "from own_rule import mine\n" + EMPTY.format(rules="[mine], [gradcheck.Pure()]")
    )
    own = ["-p", "no:cacheprovider", *PLUGIN, "--cov=own_rule"]
    apart = pytester.runpytest_subprocess(*own)
    apart.stdout.fnmatch_lines(["own_rule.py * [0-9]?%", "gradcheck: *--gradcheck-in-process"])
    here = pytester.runpytest_subprocess(*own, "--gradcheck-in-process")
    here.stdout.fnmatch_lines(["own_rule.py * 100%"])
    here.stdout.no_fnmatch_line("gradcheck: *")


@pytest.mark.processes
@pytest.mark.skipif(importlib.util.find_spec("xdist") is None, reason="pip install pytest-xdist")
@pytest.mark.parametrize(("dist", "audits"), [("load", 4), ("loadfile", 1)])
def test_workers_hand_their_audits_to_the_one_report_and_share_the_claims_of_a_rule(
    pytester: pytest.Pytester, dist: str, audits: int
) -> None:
    counting = """
import gradcheck.engine.audit, pathlib
audit = gradcheck.engine.audit.audit
def counting(rule, *arguments, **named):
    with open(rule.__name__, "a") as file:
        file.write("1")
    return audit(rule, *arguments, **named)
gradcheck.engine.audit.audit = counting
"""
    rules = EMPTY.format(rules="[nothing], [gradcheck.Exact(), gradcheck.Truncated(2)]")
    more = EMPTY.format(rules="[exits, raises]").replace("test_rule", "test_more") if dist == "load" else ""
    pytester.makepyfile(test_rules=HEAD + counting + rules + more)
    own = ["-p", "no:cacheprovider", *PLUGIN, "-n", "2", f"--dist={dist}", "--gradcheck-report=all.json"]
    result = pytester.runpytest_subprocess(*own)
    result.assert_outcomes(failed=4 + (6 if more else 0))
    assert len((pytester.path / "nothing").read_text()) == audits
    result.stdout.fnmatch_lines([f"gradcheck: wrote *all.json ({3 if more else 1} audit*)"])
    record = from_json((pytester.path / "all.json").read_text())
    assert isinstance(record, Collection)
    claims = {report.rule: [v.claim for v in report.verdicts] for report in record.reports}
    assert claims.pop("nothing") == ["pure", "stable", "exact", "truncated(2)"]
    assert sorted(claims) == (["exits", "raises"] if more else [])
    assert len(record.reports) == 1 + len(claims)


ARGUMENTS: list[tuple[Any, dict[str, Any], str]] = [
    ([], {}, "at least one; got []"),
    (gradcheck.rule, {}, "needs a list of rules"),
    (["bptt"], {"effort": "heroic"}, "there is no effort 'heroic'; choose one of full, quick"),
]


@pytest.mark.parametrize(("rules", "options", "fragment"), ARGUMENTS, ids=[f[:20] for *_, f in ARGUMENTS])
def test_arguments_that_would_test_nothing_are_turned_away(rules: Any, options: dict[str, Any], fragment: str) -> None:
    with pytest.raises(GradcheckError) as caught:
        gradcheck.parametrize(rules, **options)
    assert fragment in str(caught.value), f"wanted {fragment!r} in: {caught.value}"


def test_a_function_without_the_argument_is_turned_away() -> None:
    def test_rule() -> None: ...

    with pytest.raises(GradcheckError, match=r"must take the argument verdict: def test_rule\(verdict\)"):
        gradcheck.parametrize([len])(test_rule)


def test_claims_that_are_printed_alike_are_refused(pytester: pytest.Pytester) -> None:
    """One test would stand for both, and pass for the one that is refuted."""
    targets = """
def factor(number):
    def target(problem):
        return {name: number * array for name, array in good(problem).items()}
    return target
"""
    claims = "[gradcheck.Equals(factor(1.0)), gradcheck.Equals(factor(2.0))]"
    pytester.makepyfile(test_rules=HEAD + targets + EMPTY.format(rules=f"[good], {claims}"))
    result = pytester.runpytest("-p", "no:cacheprovider", *PLUGIN)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*two claims are both printed *target*"])


def test_networks_that_compare_equal_and_compute_something_else_are_judged_apart() -> None:
    class Scaled(Network):
        scale = 1.0

    networks = [Scaled(), Scaled()]
    object.__setattr__(networks[1], "scale", 2.0)
    assert networks[0] == networks[1]
    keys = {Request("bptt", bptt, (gradcheck.Exact(),), (network,), None).key for network in networks}
    assert len(keys) == 2


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_reports_of_workers_come_in_the_order_of_their_tests(order: tuple[int, ...]) -> None:
    exact, truncated = gradcheck.Exact(), gradcheck.Truncated(2)
    request = Request("bptt", bptt, (exact, truncated), None, "quick")
    sent = []
    for place, (label, claim) in enumerate([("first", exact), ("first", truncated), ("second", exact)]):
        verdicts = (Verdict(str(claim), Status.HOLDS, Strength.PROVED, "held"),)
        stages = (Stage("purity", Status.HOLDS, f"told by {place}"),)
        report = Report(label, "", (), verdicts, stages=stages)
        names = [str(each) for each in request.claims]
        sent.append((0 if label == "first" else 1, label, names, report.to_json()))
    audits = Audits(received=[sent[number] for number in order])
    first, second = audits.reports()
    assert (first.rule, second.rule) == ("first", "second")
    assert [verdict.claim for verdict in first.verdicts] == [str(exact), str(truncated)]
    assert [stage.statement for stage in first.stages] == ["told by 0", "told by 1"]
