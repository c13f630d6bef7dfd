"""The pytest plugin: a test for each rule and claim, `--gradcheck-report PATH` and `--gradcheck-in-process`.

    @gradcheck.parametrize([my_bptt, my_rtrl])
    def test_rule(verdict):
        ...

A claim that is refuted, inconclusive or not judged fails its test with the verdict and the counterexample;
the body is for what is asked beyond that, and may be empty. One that is refuted as `expected` says is an xfail with
that reason, and one that holds in spite of it fails. Each rule is audited once in a session, when the
first of its tests runs. This module is loaded by every pytest on the machine, so it imports nothing heavy.
PYTEST_DONT_REWRITE: it may be imported before pytest marks it, and asserts nothing about users' values.
"""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

if TYPE_CHECKING:
    from .records import Report, Verdict
    from .reference.claims import Claim
    from .reference.networks.base import RecurrentNetwork

Test = TypeVar("Test", bound=Callable[..., Any])
_ARGUMENT = "verdict"
_TITLE = "Audits of a pytest session"


@dataclass(frozen=True)
class _Order:
    """An audit to be made: a rule and how to judge it."""

    name: str
    rule: Any
    claims: tuple[Claim, ...] | None
    networks: tuple[RecurrentNetwork, ...] | None
    effort: str
    expected: tuple[tuple[str, str], ...] | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        return (id(self.rule), self.claims, self.networks, self.effort, self.expected)


@dataclass(frozen=True)
class _Question:
    """What the argument `verdict` stands for until its test runs. problem: why it cannot be asked, if so."""

    order: _Order
    claim: str
    problem: str = ""


def parametrize(
    rules: Sequence[Any],
    claims: Sequence[Claim] | None = None,
    networks: Sequence[RecurrentNetwork] | None = None,
    *,
    effort: str = "quick",
    expected: Mapping[str, str] | None = None,
) -> Callable[[Test], Test]:
    """Make a test function one test for each rule and claim, called "rule-claim".

    The function takes the argument `verdict`, a `gradcheck.Verdict`. claims, networks: instead of what each rule
    declares. effort: "quick", some small sizes, or "full", those of `gradcheck audit`. expected: claims that
    are known to be false and why, of every rule of the list, instead of what each declares; where one is refuted its
    test is an xfail, where it holds its test fails. Nothing is audited while tests are collected. What is no rule fails
    in a test of its own. Raises `GradcheckError` for no list of rules, an empty one, an effort that does not exist,
    and a function without the argument.
    """
    from .reference.errors import GradcheckError

    if not isinstance(rules, (list, tuple)) or not rules:
        raise GradcheckError(f"parametrize wants a list of rules, at least one; got {rules!r}")
    if effort not in ("full", "quick"):
        raise GradcheckError(f"there is no effort {effort!r}; choose one of full, quick")
    questions = [question for rule in rules for question in _questions(rule, claims, networks, effort, expected)]
    parameters = [pytest.param(q, id=f"{q.order.name}-{q.claim}".replace(" ", "")) for q in questions]

    def decorate(test: Test) -> Test:
        if _ARGUMENT not in inspect.signature(test).parameters:
            name = getattr(test, "__name__", repr(test))
            raise GradcheckError(f"{name} must take the argument {_ARGUMENT}: def {name}({_ARGUMENT}): ...")

        @functools.wraps(test)
        def judged(*arguments: Any, **named: Any) -> Any:
            __tracebackhide__ = True
            named[_ARGUMENT] = _SESSIONS[-1].verdict(named[_ARGUMENT])
            return test(*arguments, **named)

        return cast(Test, pytest.mark.parametrize(_ARGUMENT, parameters)(judged))

    return decorate


def _questions(
    target: Any,
    claims: Sequence[Claim] | None,
    networks: Sequence[RecurrentNetwork] | None,
    effort: str,
    expected: Mapping[str, str] | None,
) -> list[_Question]:
    from .reference.claims import checked_expectations
    from .reference.errors import GradcheckError
    from .rules.adapt import as_rule

    try:
        rule = as_rule(target, claims=claims, networks=networks)
        known = None if expected is None else checked_expectations(expected, rule.declaration.claims)
    except GradcheckError as error:
        name = getattr(target, "__name__", None) or type(target).__name__
        return [_Question(_Order(name, target, None, None, effort), "unusable", str(error))]
    order = _Order(
        rule.name,
        target,
        tuple(claims) if claims is not None else None,
        tuple(networks) if networks else None,
        effort,
        known,
    )
    asked = dict.fromkeys(["pure", *map(str, rule.declaration.claims)])
    return [_Question(order, claim) for claim in asked]


@dataclass(eq=False)
class _Session:
    """The audits of this process. reports: by rule and how it was judged; an error message where that failed."""

    path: Path | None = None
    isolated: bool = True
    reports: dict[tuple[Any, ...], Report | str] = field(default_factory=dict)
    rules: list[Any] = field(default_factory=list)  # so that no id is used twice
    received: list[str] = field(default_factory=list)
    said: list[tuple[str, bool]] = field(default_factory=list)

    def verdict(self, question: _Question) -> Verdict:
        """The verdict on the question's claim. Fails the test that asks where the claim does not hold."""
        if question.problem:
            pytest.fail(question.problem, pytrace=False)
        report = self._report(question.order)
        if isinstance(report, str):
            pytest.fail(report, pytrace=False)
        verdict = next(verdict for verdict in report.verdicts if verdict.claim == question.claim)
        if verdict.status.name == "REFUTED" and verdict.counts_as.name == "HOLDS":
            pytest.xfail(f"{report.rule}, {verdict.claim}: {verdict.remark}")
        if verdict.counts_as.name != "HOLDS":
            from .report.text import failure

            pytest.fail(failure(report.rule, verdict), pytrace=False)
        return verdict

    def _report(self, order: _Order) -> Report | str:
        if order.key not in self.reports:
            from .engine.audit import audit
            from .reference.errors import GradcheckError

            self.rules.append(order.rule)
            try:
                expected = None if order.expected is None else dict(order.expected)
                how: dict[str, Any] = {"networks": order.networks, "effort": order.effort, "expected": expected}
                self.reports[order.key] = audit(order.rule, order.claims, **how, isolated=self.isolated)
            except GradcheckError as error:
                self.reports[order.key] = str(error)
            except Exception:
                text = f"gradcheck itself failed on {order.name}; please report this:\n{traceback.format_exc()}"
                self.reports[order.key] = text
        return self.reports[order.key]

    def made(self) -> list[Report]:
        """Every audit of this process, and of the workers where pytest-xdist has run them, each once."""
        from .report import from_json

        reports = [report for report in self.reports.values() if not isinstance(report, str)]
        for text in self.received:
            report = from_json(text)
            if report not in reports:
                reports.append(report)  # type: ignore[arg-type]
        return reports

    def write(self) -> bool:
        """Write the report that was asked for, and remember what to say of it. False where it could not be."""
        from .records import Collection
        from .reference.errors import GradcheckError

        assert self.path is not None
        reports = self.made()
        if not reports:
            self.said.append((f"no audit was made; {self.path} was not written", False))
            return True
        try:
            Collection(_TITLE, tuple(reports)).write(self.path)
        except GradcheckError as error:
            self.said.append((str(error), True))
            return False
        audits = "1 audit" if len(reports) == 1 else f"{len(reports)} audits"
        self.said.append((f"wrote {self.path} ({audits})", False))
        return True


_SESSIONS = [_Session()]
"""The session that runs is the last. The first is for runs in which this module is no plugin: not installed, or
not loaded by themselves as PYTEST_DISABLE_PLUGIN_AUTOLOAD asks. The tests are judged all the same."""
_OWN = pytest.StashKey[_Session]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--gradcheck-report` and `--gradcheck-in-process`."""
    group = parser.getgroup("gradcheck", "verification of gradients")
    group.addoption(
        "--gradcheck-in-process",
        action="store_true",
        help="run the rules under audit in the process of their tests, as a debugger wants it, without limits",
    )
    group.addoption(
        "--gradcheck-report",
        metavar="PATH",
        help="write every audit of the session to PATH, as .json, .md, .html or .xml",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Look at the path of the report before any test runs."""
    asked = config.getoption("--gradcheck-report", None)
    path = config.invocation_params.dir / asked if asked else None
    if path is not None and not hasattr(config, "workerinput"):
        from .reference.errors import GradcheckError
        from .report.files import check_path

        try:
            check_path(path)
        except GradcheckError as error:
            raise pytest.UsageError(f"--gradcheck-report: {error}") from None
    config.stash[_OWN] = _Session(path, isolated=not config.getoption("--gradcheck-in-process", False))
    _SESSIONS.append(config.stash[_OWN])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give way to the session that this one ran in, if it did."""
    own = config.stash.get(_OWN, None)
    if own is not None and own in _SESSIONS:
        _SESSIONS.remove(own)


def pytest_itemcollected(item: pytest.Item) -> None:
    """With `pytest -n N --dist loadgroup`, the tests of a rule go to one worker, which audits it once."""
    question = _question(item)
    if question is not None and item.config.pluginmanager.hasplugin("xdist"):
        item.add_marker(pytest.mark.xdist_group(f"gradcheck-{question.order.name}"))


def _question(item: pytest.Item) -> _Question | None:
    callspec = getattr(item, "callspec", None)
    value = callspec.params.get(_ARGUMENT) if callspec is not None else None
    return value if isinstance(value, _Question) else None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: Any) -> None:
    """On the controller of pytest-xdist: take over what a worker has found."""
    session = node.config.stash.get(_OWN, None)
    if session is None or session.path is None:
        return
    output = getattr(node, "workeroutput", {})
    session.received += output.get("gradcheck", [])
    if error or "gradcheck" not in output:
        session.said.append((f"the audits of worker {node.gateway.id} are missing: it did not end as it should", True))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report: once, in the process that was asked for it."""
    own = session.config.stash.get(_OWN, None)
    if own is None or own.path is None:
        return
    workeroutput = getattr(session.config, "workeroutput", None)
    if workeroutput is not None:
        workeroutput["gradcheck"] = [report.to_json() for report in own.made()]
        return
    if session.config.getoption("collectonly", False):
        return
    if not own.write() and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say where the report is, or why there is none."""
    own = config.stash.get(_OWN, None)
    for text, bad in own.said if own is not None else ():
        terminalreporter.write_line(f"gradcheck: {text}", red=bad)
