"""The pytest plugin: one test per rule and claim, a marker, and the options `--gradcheck-*`.

    @gradcheck.parametrize([my_bptt, my_rtrl])
    def test_rule(verdict):
        ...

A claim that is refuted, inconclusive or not run fails its test with the verdict and the counterexample; the body is for
further assertions, and may be empty. A claim that is refuted as `expected` is an xfail with the declared reason; where
it holds in spite of that, its test fails. Every pytest on the machine loads this package, so it imports nothing heavy.
PYTEST_DONT_REWRITE: the package may be imported before pytest marks it, and asserts nothing about users' values.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from .audits import SESSIONS, Audits
from .tests import MARKER, claim_test
from .tests import parametrize as parametrize

_OWN = pytest.StashKey[Audits]()
_ONE_BY_ONE = "gradcheck_one_by_one"
_SPREADING = ("load", "worksteal")
"""Values of pytest-xdist's --dist that send the tests of one rule to several workers."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options `--gradcheck-*`."""
    group = parser.getgroup("gradcheck", "verification of gradients")
    group.addoption(
        "--gradcheck-effort",
        choices=("quick", "full"),
        help="sizes of every audit, in place of what the tests ask for",
    )
    group.addoption(
        "--gradcheck-cases",
        metavar="DIR",
        help="save each counterexample in DIR, for gradcheck replay",
    )
    group.addoption(
        "--gradcheck-report",
        metavar="PATH",
        help="write every audit of the session to PATH, as .json, .md, .html or .xml",
    )
    group.addoption(
        "--gradcheck-in-process",
        action="store_true",
        help="run the rules in the process of their tests, without limits: for debuggers and for --cov",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and check the path of the report before any test runs."""
    config.addinivalue_line("markers", f"{MARKER}: tests made by gradcheck.parametrize")
    here = config.invocation_params.dir
    path, cases = (config.getoption(f"--gradcheck-{name}", None) for name in ("report", "cases"))
    worker = getattr(config, "workerinput", None)
    if path and worker is None:
        from ..reference.errors import GradcheckError
        from ..report.files import check_path

        try:
            check_path(here / path)
        except GradcheckError as error:
            raise pytest.UsageError(f"--gradcheck-report: {error}") from None
    if cases and (here / cases).exists() and not (here / cases).is_dir():
        raise pytest.UsageError(f"--gradcheck-cases: {cases!r} is a file; name a folder")
    config.stash[_OWN] = Audits(
        here / path if path else None,
        cases=here / cases if cases else None,
        effort=config.getoption("--gradcheck-effort", None),
        isolated=not config.getoption("--gradcheck-in-process", False),
        one_by_one=worker is not None and worker.get(_ONE_BY_ONE, False),
    )
    SESSIONS.append(config.stash[_OWN])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the session's audits, so that a session that contains this one finds its own."""
    own = config.stash.get(_OWN, None)
    if own is not None and own in SESSIONS:
        SESSIONS.remove(own)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the test; with --dist loadgroup, send the tests of one rule to one worker."""
    test = claim_test(item)
    if test is None:
        return
    item.add_marker(MARKER)
    if item.config.pluginmanager.hasplugin("xdist"):
        item.add_marker(pytest.mark.xdist_group(f"gradcheck-{test.request.name}"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note which claims of each rule have tests in this session: no other is audited."""
    own = session.config.stash.get(_OWN, None)
    tests = [(test, item) for item in session.items if (test := claim_test(item)) is not None]
    if own is None or not tests:
        return
    # A time limit that is reached in the midst of an import leaves packages half there.
    from ..engine import audit  # noqa: F401
    from ..report import text  # noqa: F401

    for test, item in tests:
        own.plan(test, item.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Locate a failed claim at the user's test, and print it in one line with --tb=line."""
    report = yield
    failure = call.excinfo.value if call.excinfo is not None else None
    longrepr = report.longrepr
    if getattr(failure, "of_a_claim", False) and hasattr(longrepr, "reprcrash"):
        path, line, _ = item.location
        longrepr.reprcrash.path, longrepr.reprcrash.lineno = path, (line or 0) + 1
        if item.config.getoption("tbstyle", "auto") == "line":
            longrepr.reprtraceback.reprentries = []
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist whether the tests of one rule go to several workers."""
    node.workerinput[_ONE_BY_ONE] = node.config.getoption("dist", "no") in _SPREADING


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: Any) -> None:
    """Take over the audits of a worker of pytest-xdist, on its controller."""
    own = node.config.stash.get(_OWN, None)
    if own is None or own.path is None:
        return
    output = getattr(node, "workeroutput", {})
    own.received += output.get("gradcheck", [])
    if error or "gradcheck" not in output:
        own.remarks.append((f"the audits of worker {node.gateway.id} are missing: it did not end normally", True))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report once, in the process that was started."""
    own = session.config.stash.get(_OWN, None)
    if own is None or own.path is None:
        return
    workeroutput = getattr(session.config, "workeroutput", None)
    if workeroutput is not None:
        workeroutput["gradcheck"] = own.to_send()
        return
    if session.config.getoption("collectonly", False):
        return
    if not own.write() and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the path of the report, or the reason that there is none, and what coverage does not see."""
    own = config.stash.get(_OWN, None)
    for text, bad in own.remarks if own is not None else ():
        terminalreporter.write_line(f"gradcheck: {text}", red=bad)
    if own is not None and own.parts and own.isolated and getattr(config.option, "cov_source", None):
        text = "coverage does not see rules that run in workers; add --gradcheck-in-process"
        terminalreporter.write_line(f"gradcheck: {text}", yellow=True)
