"""Rules that misbehave: the audit survives, names the claim that it was on, finishes the others, harms nothing."""

from __future__ import annotations

import concurrent.futures
import ctypes
import functools
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import plain_rules
import pytest
import sympy  # noqa: F401 - it adds a warning filter when it is first imported

import gradcheck
from gradcheck import Exact, GradcheckError, Limits, Pure, Truncated
from gradcheck.engine import executors, tasks
from gradcheck.engine.isolation import platform, processes
from gradcheck.engine.isolation import worker as inside
from gradcheck.engine.outcome import Done, HarnessFailed
from gradcheck.engine.request import AuditRequest
from gradcheck.engine.run import run
from gradcheck.records import Cause, Report, Status, Verdict
from gradcheck.reference.network import Network
from gradcheck.reference.problem import Problem
from gradcheck.reference.scalars.ball import BallField

LIMITS = Limits(call_seconds=20.0, memory=2**28)
SHORT = Limits(call_seconds=1.0)
HOLDS, REFUTED, ERROR, NOT_RUN = Status.HOLDS, Status.REFUTED, Status.ERROR, Status.NOT_RUN

pytestmark = [
    pytest.mark.processes,
    pytest.mark.usefixtures("brief", "not_shrunk"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="rules are isolated where processes fork"),
]


def children() -> set[int]:
    """The processes that this one started and did not wait for; none where the system lists none."""
    return {int(pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()}


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Neither a process, nor a file, nor a changed state outlives an audit."""
    listed = Path("/proc/self/fd").is_dir()
    files, folder, before = len(os.listdir("/proc/self/fd")) if listed else 0, os.getcwd(), children()
    yield
    assert children() <= before, "an audit left processes"  # other files' tests may have left some, such as trackers
    if listed:
        assert len(os.listdir("/proc/self/fd")) == files, "an audit left files open"
    assert os.getcwd() == folder


def judged(rule: Any, *claims: Any, **how: Any) -> Report:
    return gradcheck.audit(rule, [*claims], effort="quick", **{"limits": LIMITS, **how})


def of(report: Report, claim: str) -> Verdict:
    return next(verdict for verdict in report.verdicts if verdict.claim == claim)


def doing(misdeed: Callable[[], Any], *, beyond: int = 0) -> Any:
    """A right rule that does something else before, on sequences longer than that."""

    @gradcheck.rule(Exact())
    def misbehaved(problem: Problem) -> Any:
        if problem.T > beyond:
            misdeed()
        return plain_rules.good(problem)

    return misbehaved


def loop() -> None:
    while True:
        pass


def sleep_in_c() -> None:
    ctypes.CDLL(None).sleep(60)


def crash() -> None:
    ctypes.string_at(0)


def leave() -> None:
    os._exit(0)


def recurse() -> Any:
    sys.setrecursionlimit(10**9)
    nested: Any = []
    for _ in range(10**5):
        nested = [nested]
    return repr(nested)


def hoard() -> None:
    kept = []
    while True:
        kept.append(np.ones(2**22))


def hoard_in_children() -> None:
    program = "kept = []\nwhile True: kept.append(bytearray(2**22))"
    children = [subprocess.Popen([sys.executable, "-S", "-c", program]) for _ in range(3)]
    for child in children:
        child.wait()


FATAL: dict[str, tuple[Callable[[], Any], set[Cause]]] = {
    "infinite loop": (loop, {Cause.TIMEOUT}),
    "sleep in C": (sleep_in_c, {Cause.TIMEOUT}),
    "segmentation fault": (crash, {Cause.CRASH}),
    "os._exit": (leave, {Cause.EXIT}),
    "sys.exit": (lambda: sys.exit(3), {Cause.FAILED}),
    "deep recursion": (recurse, {Cause.CRASH, Cause.FAILED, Cause.MEMORY}),
    "memory": (hoard, {Cause.FAILED, Cause.MEMORY}),
    "memory of its children": (hoard_in_children, {Cause.MEMORY}),
    "abort": (os.abort, {Cause.CRASH}),
    "KeyboardInterrupt": (lambda: (_ for _ in ()).throw(KeyboardInterrupt), {Cause.FAILED}),
    "kills its parent": (lambda: os.kill(os.getppid(), signal.SIGKILL) or time.sleep(60), {Cause.MEMORY}),
}


@pytest.mark.parametrize("name", FATAL)
def test_what_would_end_the_process_is_an_error_of_purity(name: str) -> None:
    misdeed, causes = FATAL[name]
    report = judged(doing(misdeed), Exact(), limits=SHORT if causes == {Cause.TIMEOUT} else LIMITS)
    pure, exact = of(report, "pure"), of(report, "exact")
    assert pure.status is ERROR, f"pure is {pure.word}: {pure.statement}"
    assert pure.evidence[0].cause in causes, f"{pure.evidence[0].cause}: {pure.statement}"
    assert "T=5, I=4, D=2, K=3" in pure.statement, f"does not say where: {pure.statement}"
    assert exact.status is NOT_RUN and pure.statement in exact.statement, exact.statement
    assert report.exit_status == 1


def test_a_rule_that_closes_every_file_is_an_error() -> None:
    pure = of(judged(doing(lambda: os.closerange(3, 256)), Pure()), "pure")
    assert pure.status is ERROR and pure.evidence[0].cause is Cause.CHANNEL, pure.statement


@pytest.mark.parametrize("name", ["infinite loop", "segmentation fault"])
def test_a_claim_is_an_error_where_the_rule_fails_on_floats_and_the_others_are_judged(name: str) -> None:
    misdeed, causes = FATAL[name]
    limits = SHORT if name == "infinite loop" else LIMITS
    report = judged(doing(misdeed, beyond=10), Exact(), Truncated(1), limits=limits)
    assert of(report, "pure").status is HOLDS, of(report, "pure").statement
    exact, truncated = of(report, "exact"), of(report, "truncated(1)")
    assert exact.status is ERROR, f"exact is {exact.word}: {exact.statement}"
    kinds = {e.kind: e for e in exact.evidence}
    assert kinds["float64"].cause in causes and "T=" in exact.statement, exact.statement
    assert kinds["formal"].status is HOLDS, "what was shown before is lost"
    assert kinds["modular"].status is NOT_RUN and "T=12, I=3" in kinds["modular"].statement, kinds["modular"].statement
    assert truncated.status is REFUTED, f"the other claim is {truncated.word}: {truncated.statement}"
    assert truncated.counterexample is not None
    assert judged(plain_rules.good, Exact()).passed, "the next audit is harmed"


def test_a_rule_that_crashes_off_floats_is_judged_on_floats() -> None:
    """Compiled code takes the memory of an array of objects for numbers."""

    @gradcheck.rule(Exact())
    def compiled(problem: Problem) -> Any:
        if problem.inputs.dtype == object:
            crash()
        return plain_rules.good(problem)

    exact = of(judged(compiled, Exact()), "exact")
    assert exact.word == "SUPPORTED", f"{exact.word}: {exact.statement}"
    formal_evidence = next(e for e in exact.evidence if e.kind == "formal")
    assert formal_evidence.cause is Cause.CRASH


def test_a_search_that_the_rule_ends_leaves_an_error_that_says_what_was_seen() -> None:
    @gradcheck.rule(Exact())
    def wrong_and_deadly(problem: Problem) -> Any:
        if isinstance(
            getattr(problem.inputs, "field", None), BallField
        ):  # in the search: formal evidence ended the rest
            crash()
        gradient = plain_rules.good(problem)
        return {**gradient, "R": gradient["R"] * 2}

    verdict = of(judged(wrong_and_deadly, Exact()), "exact")
    assert verdict.status is ERROR, verdict.word
    assert "while a counterexample was looked for" in verdict.statement, verdict.statement
    assert next(e for e in verdict.evidence if e.kind == "formal").status is REFUTED, "what was seen is lost"


def print_everywhere() -> None:
    print("by print")
    print("on standard error", file=sys.stderr)
    os.write(1, b"by write\n")
    os.write(2, b"by write\n")
    ctypes.CDLL(None).puts(b"from C")
    ctypes.CDLL(None).fflush(None)
    subprocess.run([sys.executable, "-S", "-c", "print('by a child')"], check=True)


def test_nothing_that_a_rule_prints_reaches_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    report = judged(doing(print_everywhere, beyond=5), Pure())
    assert capfd.readouterr() == ("", ""), "what the rule printed reached the terminal"
    assert report.passed and "it printed, first 'by print'" in of(report, "pure").statement, str(report)


@pytest.mark.parametrize("ask", [input, lambda: sys.stdin.read(1) or input()], ids=["input", "read"])
@pytest.mark.parametrize("isolated", [True, False])
def test_a_prompt_meets_the_end_of_its_input(ask: Callable[[], Any], isolated: bool) -> None:
    pure = of(judged(doing(ask), Pure(), isolated=isolated), "pure")
    assert pure.status is ERROR and pure.evidence[0].cause is Cause.FAILED and "EOFError" in pure.statement, pure


def test_standard_input_is_empty_for_what_reads_it_by_number() -> None:
    assert judged(doing(lambda: os.read(0, 1) == b"" or crash()), Pure()).passed


# (what it does, whether it is refuted, a fragment of what is said)
def _patch() -> None:
    np.tanh = np.sin  # type: ignore[misc,assignment]


def _start_a_thread() -> None:
    threading.Thread(target=time.sleep, args=(5,), daemon=True, name="forgotten").start()


_ONCE: list[threading.Thread] = []
_POOL: list[concurrent.futures.Executor] = []


def _start_one_thread() -> None:
    if not _ONCE:
        _ONCE.append(threading.Thread(target=time.sleep, args=(5,), daemon=True, name="helper"))
        _ONCE[0].start()


def _use_a_pool() -> None:
    if not _POOL:
        _POOL.append(concurrent.futures.ThreadPoolExecutor(2))
    list(_POOL[0].map(abs, range(4)))


def _join_a_thread() -> None:
    thread = threading.Thread(target=time.sleep, args=(0.001,))
    thread.start()
    thread.join()


def _change_the_environment() -> None:
    os.environ["HOME"] = "/nowhere"


def _quiet_inside() -> None:
    with np.errstate(all="ignore"), np.printoptions(precision=2), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.log(np.zeros(1))


CHANGES: list[tuple[str, Callable[[], Any], bool, str]] = [
    ("seterr", lambda: np.seterr(all="raise"), True, "changed NumPy's error state (divide to raise"),
    ("seterr to ignore", lambda: np.seterr(all="ignore"), True, "use `with np.errstate(...)`"),
    ("np.random.seed", lambda: np.random.seed(3), True, "seeds the global generator of numpy.random"),
    ("random.seed", lambda: random.seed(3), True, "seeds the global generator of random"),
    ("patched tanh", _patch, True, "it replaced numpy.tanh; define a function of its own instead"),
    ("patched norm", lambda: setattr(np.linalg, "norm", abs), True, "it replaced numpy.linalg.norm"),
    ("threads", _start_a_thread, True, "leaves a thread running after each call (forgotten)"),
    ("chdir", lambda: os.chdir("/"), True, "changed the current directory"),
    ("one thread", _start_one_thread, False, "left a thread running (helper), though not after each call"),
    ("pool", _use_a_pool, False, "it keeps a pool of threads"),
    ("joined thread", _join_a_thread, False, "same result when called again"),
    ("draws", lambda: np.random.normal(), False, "draws from the global generator of numpy.random, without effect"),
    ("warnings", lambda: warnings.warn("beware", stacklevel=1), False, "warned, first 'UserWarning: beware' (kept"),
    ("filters", lambda: warnings.simplefilter("error"), False, "it changed the warning filters"),
    ("print options", lambda: np.set_printoptions(precision=3), False, "it changed NumPy's print options"),
    ("environment", _change_the_environment, False, "it changed the environment variable HOME"),
    ("recursion limit", lambda: sys.setrecursionlimit(5000), False, "it changed the recursion limit to 5000"),
    ("contexts", _quiet_inside, False, "same result when called again"),
]


def _state() -> list[Any]:
    return [
        np.tanh, np.linalg.norm, np.geterr(), np.get_printoptions(), str(np.random.get_state()), random.getstate(),
        os.getcwd(), dict(os.environ), sys.getrecursionlimit(), list(warnings.filters),
    ]  # fmt: skip


@pytest.mark.parametrize(("misdeed", "refuted", "fragment"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
@pytest.mark.parametrize("isolated", [True, False], ids=["isolated", "in process"])
def test_a_state_that_is_changed_is_seen_and_undone(
    misdeed: Callable[[], Any], refuted: bool, fragment: str, isolated: bool
) -> None:
    _ONCE.clear()
    before = _state()
    pure = of(judged(doing(misdeed), Pure(), isolated=isolated), "pure")
    while _POOL:
        _POOL.pop().shutdown()
    assert pure.status is (REFUTED if refuted else HOLDS), f"{pure.word}: {pure.statement}"
    assert fragment in pure.statement, f"wanted {fragment!r} in: {pure.statement}"
    assert _state() == before, "the change was not undone"


@pytest.mark.parametrize("isolated", [True, False], ids=["isolated", "in process"])
def test_numbers_drawn_from_the_global_generator_are_noticed_in_the_result(isolated: bool) -> None:
    def noisy(problem: Problem) -> Any:
        return {name: array + np.random.normal() for name, array in plain_rules.good(problem).items()}

    pure = of(judged(noisy, Pure(), isolated=isolated), "pure")
    assert pure.status is REFUTED and pure.evidence[0].cause is Cause.KEEPS_STATE, pure


def test_what_is_drawn_once_in_a_while_is_noticed_whatever_the_generators_state() -> None:
    """A tenth of the calls are wrong; each call of an audit begins with the same state."""

    def sometimes(problem: Problem) -> Any:
        return {
            name: array * (1.5 if np.random.rand() < 0.1 else 1) for name, array in plain_rules.good(problem).items()
        }

    for state in range(3):
        np.random.seed(state)
        pure = of(judged(sometimes, Pure(), isolated=False), "pure")
        assert pure.status is REFUTED and pure.evidence[0].cause is Cause.KEEPS_STATE, pure


def test_a_rule_that_patches_numpy_where_it_is_not_seen_spoils_no_arithmetic() -> None:
    @gradcheck.rule(Exact())
    def leaves_a_patch(problem: Problem) -> Any:
        gradient = plain_rules.good(problem)
        if problem.T > 10:
            _patch()
        return gradient

    assert of(judged(leaves_a_patch, Exact(), isolated=False), "exact").status is HOLDS


def generators() -> Any:
    lock, endless = threading.Lock(), (n for n in iter(int, 1))

    def rule(problem: Problem) -> Any:
        with lock:
            next(endless)
            return plain_rules.good(problem)

    return rule


def test_rules_that_no_pickle_holds_are_isolated_too() -> None:
    report = judged(generators(), Exact())
    assert report.passed and not report.notes, str(report)


RULES = [plain_rules.wrong, plain_rules.talkative, plain_rules.raises, plain_rules.keeps_state]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_isolated_or_not_the_report_is_the_same(rule: Any) -> None:
    plain_rules.CALLS[0] = 0
    told: dict[bool, list[str]] = {True: [], False: []}
    found: dict[bool, list[Any]] = {True: [], False: []}
    isolated, here = (
        judged(rule, Exact(), isolated=way, progress=told[way].append, found=lambda *e, way=way: found[way].append(e))
        for way in (True, False)
    )
    assert isolated == here and sorted(map(str, found[True])) == sorted(map(str, found[False]))
    assert found[True], "evidence is not told as it is found"
    assert set(told[True]) == set(told[False]), "the progress differs"


def test_references_are_derived_once_for_all_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from gradcheck.reference import ring

    derived, log = ring._derived, tmp_path / "derived"

    def logged(network: Any, sizes: Any, *of: Any) -> Any:
        with log.open("a") as file:
            file.write(f"{network} {sizes}\n")
        return derived(network, sizes, *of)

    @gradcheck.rule(Exact())
    def crashes_off_formal(problem: Problem) -> Any:
        if problem.T > 10:
            crash()
        return plain_rules.good(problem)

    monkeypatch.setattr(ring, "_derived", logged)
    ring.lag_circuit.cache_clear()
    requests = [AuditRequest(rule, effort="quick") for rule in (crashes_off_formal, plain_rules.good)]
    run(requests, executors.Workers(1))
    lines = log.read_text().splitlines()
    assert lines and len(lines) == len(set(lines)), "derived again"


class Pickled:
    """A rule that a fresh process can import."""

    def __call__(self, problem: Problem) -> Any:
        return plain_rules.good(problem)


def test_where_a_fork_cannot_run_the_rule_a_fresh_process_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_unforkable", lambda: "a framework is in use here")
    report = judged(plain_rules.undeclared, Pure())
    assert report == judged(plain_rules.undeclared, Pure(), isolated=False)
    assert of(report, "pure").status is HOLDS and not report.notes[1:], str(report)


def test_a_crash_in_a_fresh_process_is_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_unforkable", lambda: "a framework is in use here")
    pure = of(judged(plain_rules.crashes, Pure()), "pure")
    assert pure.status is ERROR and pure.evidence[0].cause is Cause.CRASH, pure.statement


def test_where_neither_can_the_report_says_that_the_rule_ran_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_unforkable", lambda: "a framework is in use here")
    heard: list[Any] = []
    report = judged(lambda problem: plain_rules.good(problem), Pure(), events=heard.append)
    assert report.passed, str(report)
    assert sum("without limits" in getattr(event, "text", "") for event in heard) == 1, "it is told again"
    assert "without limits" in report.notes[0] and "a framework is in use here" in report.notes[0]


def test_torch_that_refuses_a_fork_is_given_a_fresh_process() -> None:
    def refusing(problem: Problem) -> Any:
        if os.getpid() != here:
            raise RuntimeError("Unable to handle autograd's threading in combination with fork-based multiprocessing.")
        return plain_rules.good(problem)

    here = os.getpid()
    report = judged(refusing, Pure())
    assert report.passed and "torch's autograd had run in this process" in report.notes[0], str(report)


def test_a_worker_without_a_warden_does_the_same_as_on_windows() -> None:
    way = functools.partial(processes.spawned, warden=False)
    for rule, status in ((plain_rules.undeclared, HOLDS), (plain_rules.crashes, ERROR)):
        (report,) = run([AuditRequest(rule, claims=(Pure(),), effort="quick")], executors.Workers(1, (way,)))
        assert of(report, "pure").status is status, str(report)
    looping = AuditRequest("plain_rules:loops", claims=(Pure(),), effort="quick", limits=SHORT)
    (report,) = run([looping], executors.Workers(1, (way,)))
    assert of(report, "pure").evidence[0].cause is Cause.TIMEOUT, str(report)


def test_a_result_that_cannot_be_sent_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    perform = tasks.perform

    def unsendable(task: Any, context: Any, progress: Any) -> Any:
        result = perform(task, context, progress)
        return {**result, "kept": Pickled()} if (task.claim, task.kind) == ("exact", "float64") else result

    monkeypatch.setattr(inside, "perform", unsendable)
    report = judged(plain_rules.good, Exact(), Truncated(1))
    exact = of(report, "exact")
    assert exact.status is ERROR, exact.word
    assert next(e for e in exact.evidence if e.kind == "float64").cause is Cause.CHANNEL
    assert of(report, "truncated(1)").status is REFUTED


def test_a_worker_that_does_not_start_is_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a fork that waits for a lock which a thread of its parent held."""
    monkeypatch.setattr(processes, "START_SECONDS", 0.5)
    monkeypatch.setattr(platform, "cut_off", lambda: time.sleep(5))
    workers = executors.Workers(1, (processes.forked,))
    workers.open(tasks.Context([AuditRequest(plain_rules.good, effort="quick")]))
    more_than_a_pipe_holds = {"before": ["x" * 10**6]}
    outcome = workers.perform_now(tasks.Task("purity", inputs=more_than_a_pipe_holds), print)
    assert isinstance(outcome, Done) and "a worker did not start within 0.5 s" in outcome.note, outcome


def test_a_worker_that_started_has_time_between_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    perform = tasks.perform
    monkeypatch.setattr(inside, "perform", lambda *task: time.sleep(1.5) or perform(*task))
    monkeypatch.setattr(processes, "START_SECONDS", 1.0)
    request = AuditRequest(plain_rules.good, claims=(Pure(),), effort="quick")
    (report,) = run([request], executors.Workers(1, (processes.forked,)))
    assert of(report, "pure").status is HOLDS and not report.notes[1:], report.notes


def test_an_error_of_our_own_comes_back_with_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> Any:
        raise AssertionError("a bug")

    monkeypatch.setattr(inside, "perform", failing)
    with pytest.raises(HarnessFailed, match="AssertionError: a bug"):
        judged(plain_rules.good, Exact())


@pytest.mark.parametrize("limits", [{"call_seconds": 0}, {"memory": -1}, {"memory": "4 GiB"}], ids=str)
def test_limits_that_mean_nothing_are_turned_away(limits: dict[str, Any]) -> None:
    with pytest.raises(GradcheckError, match="is a number greater than 0; got"):
        Limits(**limits)


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("session", [False, True], ids=["child", "daemon"])
def test_processes_that_a_rule_starts_and_forgets_are_ended(session: bool, tmp_path: Path) -> None:
    written = tmp_path / "pid"

    def forgetful() -> None:
        child = subprocess.Popen(["sleep", "60"], start_new_session=session)
        written.write_text(str(child.pid))
        child.returncode = 0  # so that it is not waited for

    judged(doing(forgetful), Pure())
    child = int(written.read_text())
    deadline = time.monotonic() + 10
    while not _gone(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _gone(child), "a process outlived the audit"


def test_a_process_that_was_reaped_is_not_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id may be another's by then."""
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))
    monkeypatch.setattr(os, "killpg", lambda pid, _: killed.append(pid))
    workers = executors.Workers(1)
    run([AuditRequest(plain_rules.good, claims=(Pure(),), effort="quick")], workers)
    workers.close(now=True)
    workers.close(now=False)
    assert not killed, "a process was killed by its number"


def test_children_that_are_reaped_by_the_system_do_no_harm() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert judged(plain_rules.good, Pure()).passed
        assert of(judged(doing(crash), Pure()), "pure").evidence[0].cause is Cause.CRASH
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_audits_in_threads_wait_for_each_other() -> None:
    """flint, mpmath and what a rule may change around it belong to the whole process."""
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        reports = list(threads.map(lambda _: judged(plain_rules.good, Exact(), isolated=False), range(3)))
    assert all(report == reports[0] and report.passed for report in reports)


def test_an_audit_within_an_audit_does_not_wait_for_itself() -> None:
    def nested(problem: Problem) -> Any:
        assert judged(plain_rules.good, Pure()).passed
        return plain_rules.good(problem)

    assert of(judged(nested, Pure(), limits=LIMITS), "pure").status is HOLDS


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_worker_ends_with_its_parent(sent: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import os, pathlib, subprocess, gradcheck\n"
        "def slow(problem):\n"
        "    child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "    pathlib.Path('pid.part').write_text(f'{os.getpid()} {child.pid}')\n"
        "    os.replace('pid.part', 'pid')\n"
        "    while True: pass\n"
        "gradcheck.audit(slow)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "slow.py"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a shell's background jobs ignore
    )
    while not (tmp_path / "pid").exists() and parent.poll() is None:
        time.sleep(0.02)
    worker, child = map(int, (tmp_path / "pid").read_text().split())
    parent.send_signal(sent)
    _, error = parent.communicate(timeout=20)
    deadline = time.monotonic() + 10
    while not (_gone(worker) and _gone(child)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _gone(worker), "the worker outlived its parent"
    assert _gone(child), "a process of the rule outlived the audit"
    assert sent == signal.SIGKILL or b"Interrupted" in error, error


def test_a_process_that_several_threads_end_is_ended_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process id of 0 stands for the caller's whole group."""
    killed: list[int] = []
    monkeypatch.setattr(platform, "kill", lambda pid, pidfd: killed.append(pid))
    process = processes.forked(tasks.Context([AuditRequest(plain_rules.good)]), LIMITS)
    threads = [threading.Thread(target=process.end) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not killed and process.connection.closed


@pytest.mark.parametrize("pid", [0, -1])
def test_no_group_of_processes_is_killed(pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(os, "kill", lambda *arguments: sent.append(arguments))
    with pytest.raises(ValueError, match="greater than 0"):
        platform.kill(pid, None)
    assert not sent


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no message")


def test_an_error_whose_message_raises_is_an_error_of_the_rule() -> None:
    def raises(problem: Any) -> Any:
        raise Unprintable

    pure = of(judged(raises, Pure()), "pure")
    assert pure.status is ERROR and "Unprintable" in pure.statement


@pytest.mark.parametrize("status", [98, 255, -1])
def test_no_status_of_a_rule_is_taken_for_something_else(status: int) -> None:
    def ends(problem: Any) -> Any:
        os._exit(status)

    pure = of(judged(ends, Pure()), "pure")
    assert (pure.status, pure.evidence[-1].cause) == (ERROR, Cause.EXIT), pure.statement


@pytest.mark.parametrize("raises", [False, True])
def test_a_fork_that_a_rule_lets_go_on_ends_where_its_call_ends(raises: bool, tmp_path: Path) -> None:
    seen = tmp_path / "seen"

    def forks(problem: Problem) -> Any:
        if os.fork() == 0:
            with seen.open("a", encoding="ascii") as file:
                print(os.getppid(), file=file)
            if raises:
                raise ValueError
        else:
            os.wait()
        return plain_rules.good(problem)

    report = judged(forks, Exact(), networks=(Network(),))
    assert of(report, "exact").status is HOLDS, str(report)
    assert len({*seen.read_text("ascii").split()}) < 20, "forks went on to audit"
