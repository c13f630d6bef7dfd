"""Audits in processes that are killed: on this machine, and on a real Dask cluster on loopback."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import plain_rules
import pytest
from brief import BRIEF
from typer.testing import CliRunner

import gradcheck
from gradcheck.algorithms import bptt
from gradcheck.cli import commands as cli
from gradcheck.engine.executors import Workers
from gradcheck.engine.request import AuditRequest
from gradcheck.engine.run import run
from gradcheck.judge.effort import EFFORTS
from gradcheck.records import Cause, Report, Status, reproducible
from gradcheck.reference.network import DEFAULT_NETWORK, Network
from gradcheck.report import from_json
from gradcheck.report import to_json as written

pytestmark = [pytest.mark.processes, pytest.mark.skipif(os.name == "nt", reason="signals and pipes of POSIX")]
HOW: dict[str, Any] = {"effort": "quick", "networks": (DEFAULT_NETWORK,), "claims": (gradcheck.Exact(),)}
SMALL = Network("logistic")
PATIENCE = 120.0
"""Seconds after which something that should happen is taken not to."""


def to_json(report: Any) -> str:
    """The report as it is written, without dates and times."""
    return written(reproducible(report))


def audit(rule: Any, **more: Any) -> Any:
    return gradcheck.audit(rule, **{**HOW, **more})


@pytest.fixture(scope="module", autouse=True)
def fewest_sizes() -> Iterator[None]:
    """Audits of the fewest sizes, also in processes that an audit starts; not in those that a test starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EFFORTS, "quick", BRIEF)
        yield


@functools.cache
def good() -> str:
    """The report on a rule that is right, of a brief audit here."""
    return to_json(audit(plain_rules.good, isolated=False))


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_the_report_is_the_same_in_any_number_of_processes(jobs: int, brief: None) -> None:
    assert to_json(audit(plain_rules.good, jobs=jobs)) == good()


def test_any_executor_will_do() -> None:
    """Only the sizes are brief in processes that it starts."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        assert to_json(audit(plain_rules.good, executor=executor)) == to_json(audit(plain_rules.good))
        assert executor.submit(int, "3").result() == 3, "the caller's executor was ended"


@pytest.mark.usefixtures("brief")
def test_a_rule_that_crashes_is_judged_as_without_jobs() -> None:
    assert to_json(audit(plain_rules.crashes, jobs=2)) == to_json(audit(plain_rules.crashes))


@gradcheck.rule(gradcheck.Exact())
def crashes_on_floats_there(problem: Any) -> Any:
    """Right on the first network, and ends its process in the midst of the kinds that are made together on another."""
    if problem.network == SMALL and problem.parameters["R"].dtype == np.float64 and problem.T >= 7:
        os._exit(3)
    return bptt(problem)


@pytest.mark.usefixtures("brief")
def test_a_kind_that_is_lost_is_lost_on_its_network_alone() -> None:
    how = {"networks": (DEFAULT_NETWORK, SMALL)}
    report = audit(crashes_on_floats_there, jobs=2, **how)
    assert to_json(report) == to_json(audit(crashes_on_floats_there, jobs=1, **how))
    verdict = report.verdicts[-1]
    assert verdict.status is Status.ERROR
    lost = [e for e in verdict.evidence if e.kind == "float64"]
    assert [(e.status, e.cause) for e in lost] == [(Status.HOLDS, None), (Status.ERROR, Cause.EXIT)], lost
    assert next(e for e in verdict.evidence if e.kind == "enclosure").status is Status.HOLDS


@gradcheck.rule(gradcheck.Exact())
def kills_its_parent(problem: Any) -> Any:
    """Ends the process that started the one that it runs in, once it has come so far."""
    if problem.T >= 7:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return plain_rules.good(problem)


@pytest.mark.usefixtures("brief")
def test_a_rule_that_kills_its_parent_stops_no_other() -> None:
    requests = [AuditRequest(rule, **HOW) for rule in (kills_its_parent, plain_rules.good)]
    killer, other = run(requests, Workers(2))
    assert to_json(other) == good(), "a rule was judged otherwise for what another did"
    assert killer.verdicts[-1].status is Status.ERROR, killer.verdicts[-1]


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    script = "import gradcheck\nfrom gradcheck.algorithms import bptt\n"
    script += "gradcheck.audit(bptt, [gradcheck.Pure()], jobs=2, networks=[gradcheck.Network()], effort='quick')\n"
    (tmp_path / "script.py").write_text(script, "utf-8")
    ran = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


# Runs that are killed

_RULE = """
import gradcheck
from gradcheck.algorithms import bptt

@gradcheck.rule(gradcheck.Exact())
def mine(problem):
    return bptt(problem)
"""
_NETWORKS = [part for name in ("tanh", "tanh,softmax,categorical_cross_entropy") for part in ("--network", name)]


_HURRIED = """
from gradcheck.engine.executors import futures

futures.DASK_SECONDS = 3.0
from gradcheck.cli import main

main()
"""


def begun(folder: Path, *arguments: str, program: Sequence[str] = ("-m", "gradcheck")) -> subprocess.Popen[str]:
    """An audit of a file of its own, in a group of processes of its own, which heeds interrupts."""
    (folder / "rules.py").write_text(_RULE, "utf-8")
    command = [sys.executable, *program, "audit", "rules.py:mine", "--effort", "quick", *_NETWORKS]
    return subprocess.Popen(
        [*command, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of that audit, made step by step in one process."""
    folder = tmp_path_factory.mktemp("here")
    status, out, err = ended(begun(folder, "--json", "here.json"))
    assert status == 0, out + err
    return to_json(from_json((folder / "here.json").read_text("utf-8")))


def further(line: bytes) -> bool:
    """Return True for a unit beyond a full audit, which only a budget buys."""
    return b", seed 100" in line.partition(b'"value"')[0]


def wait_for_lines(
    path: Path, number: int, run: subprocess.Popen[str], kind: Callable[[bytes], bool] = lambda line: True
) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if path.exists() and sum(kind(line) for line in path.read_bytes().split(b"\n")[:-1]) >= number:
            return
        assert run.poll() is None, f"the run ended before {number} lines were there: {run.communicate()}"
        time.sleep(0.02)
    raise AssertionError(f"no {number} lines within {PATIENCE:g} s")


def ended(run: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = run.communicate(timeout=PATIENCE)
    return run.returncode, out, err


def units(path: Path) -> list[str]:
    lines = [json.loads(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")]
    return [line["key"] for line in lines if "key" in line]


def test_a_run_that_is_killed_goes_on_and_neither_loses_nor_repeats_a_unit(here: str, tmp_path: Path) -> None:
    found, report = tmp_path / "found.jsonl", tmp_path / "report.json"
    command = begun(tmp_path, "--jobs", "2", "--results", "found.jsonl")
    wait_for_lines(found, 12, command)
    os.killpg(command.pid, signal.SIGKILL)
    ended(command)
    before = found.read_bytes()
    whole = before[: before.rfind(b"\n") + 1]
    status, out, err = ended(begun(tmp_path, "--jobs", "3", "--results", "found.jsonl", "--json", "report.json"))
    assert (status, err.count("Traceback")) == (0, 0), out + err
    assert found.read_bytes().startswith(whole), "a unit that was finished is lost"
    assert len(set(units(found))) == len(units(found)), "a unit was made twice"
    assert to_json(from_json(report.read_text("utf-8"))) == here


NETWORKS = tuple(Network(name) for name in ("tanh", "logistic", "relu", "softplus", "identity"))


@gradcheck.rule(gradcheck.Exact(), networks=NETWORKS)
def crashes_there_sooner_or_later(problem: Any) -> Any:
    """Ends its process on every network at float64, at once on the last ones and after a while on the first."""
    if problem.parameters["R"].dtype == np.float64 and problem.T >= 7:
        time.sleep(0.1 * (4 - NETWORKS.index(problem.network)))
        os._exit(3)
    return bptt(problem)


@pytest.mark.usefixtures("brief")
def test_what_is_given_up_does_not_depend_on_what_ended_first() -> None:
    how = {"networks": NETWORKS, "jobs": 1}
    report = audit(crashes_there_sooner_or_later, **how)
    lost = [e.cause for e in report.verdicts[-1].evidence if e.kind == "float64"]
    assert lost == [Cause.EXIT] * 3 + [None] * 2, lost
    assert to_json(report) == to_json(audit(crashes_there_sooner_or_later, **{**how, "jobs": 3}))


def test_an_interrupt_leaves_with_130_and_what_is_known(tmp_path: Path) -> None:
    found = tmp_path / "found.jsonl"
    command = begun(tmp_path, "--jobs", "2", "--results", "found.jsonl", "--json", "partial.json")
    wait_for_lines(found, 6, command)
    command.send_signal(signal.SIGINT)
    status, out, err = ended(command)
    assert status == 130, f"{status}: {out}\n{err}"
    assert "Traceback" not in err, err
    assert "interrupted" in (tmp_path / "partial.json").read_text("utf-8")
    assert len(units(found)) >= 5


def test_an_interrupt_of_the_budget_leaves_with_130_and_the_verdicts(tmp_path: Path) -> None:
    found = tmp_path / "found.jsonl"
    command = begun(tmp_path, "--budget", "minutes=10", "--results", "found.jsonl", "--json", "partial.json")
    wait_for_lines(found, 1, command, further)
    command.send_signal(signal.SIGINT)
    status, out, err = ended(command)
    assert status == 130, f"{status}: {out}\n{err}"
    assert "Traceback" not in err, err
    report = from_json((tmp_path / "partial.json").read_text("utf-8"))
    assert isinstance(report, Report) and report.passed, out


# A Dask cluster


@dataclass
class Cluster:
    address: str
    workers: list[subprocess.Popen[bytes]]


@pytest.fixture
def cluster(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A scheduler and two workers, or as many as the test asks for, each a process of its own, on loopback."""
    pytest.importorskip("distributed")
    where = tmp_path / "scheduler.json"
    started: list[subprocess.Popen[bytes]] = []

    def start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{program}", *arguments, "--no-dashboard"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **quiet))
        return started[-1]

    try:
        scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(where))
        deadline = time.monotonic() + PATIENCE
        while not (where.exists() and where.read_text("utf-8").endswith("}")):
            assert scheduler.poll() is None and time.monotonic() < deadline, "no Dask scheduler came up"
            time.sleep(0.05)
        address = json.loads(where.read_text("utf-8"))["address"]
        here = ("--host", "127.0.0.1", "--nthreads", "1", "--no-nanny")
        yield Cluster(address, [start("worker", address, *here) for _ in range(getattr(request, "param", 2))])
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_a_dask_cluster_whose_worker_is_killed_comes_to_the_same_report(
    cluster: Cluster, here: str, tmp_path: Path
) -> None:
    found = tmp_path / "found.jsonl"
    command = begun(tmp_path, "--dask", cluster.address, "--results", "found.jsonl", "--json", "dask.json")
    wait_for_lines(found, 8, command)
    cluster.workers[0].kill()
    status, out, err = ended(command)
    assert status == 0, f"{status}: {out}\n{err}"
    assert len(set(units(found))) == len(units(found))
    assert to_json(from_json((tmp_path / "dask.json").read_text("utf-8"))) == here


@pytest.mark.parametrize("cluster", [0], indirect=True)
def test_a_cluster_without_workers_is_said_to_have_none(cluster: Cluster, tmp_path: Path) -> None:
    status, _, err = ended(begun(tmp_path, "--dask", cluster.address, program=("-c", _HURRIED)))
    assert status == 2 and "has no workers; start some with dask worker" in err, err


def test_a_scheduler_that_does_not_answer_is_said_to_be_missing(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    status, _, err = ended(begun(tmp_path, "--dask", "tcp://127.0.0.1:9", program=("-c", _HURRIED)))
    assert status == 2
    assert "no Dask scheduler answers at 'tcp://127.0.0.1:9'" in err, err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--budget", "10"], "--budget needs a positive time"),
        (["--budget", "minutes=0"], "--budget needs a positive time"),
        (["--budget", "weeks=1"], "--budget needs a positive time"),
        (["--results", "found.json"], "--results writes a .jsonl file"),
        (["--results", "missing/found.jsonl"], "create it first"),
        (["--jobs", "2", "--dask", "tcp://127.0.0.1:9"], "give one of them"),
    ],
)
def test_options_that_say_nothing_are_refused_at_once(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.app, ["audit", "bptt", *arguments], prog_name="gradcheck")
    assert result.exit_code == 2
    assert said in result.output.replace("\n", " "), result.output
