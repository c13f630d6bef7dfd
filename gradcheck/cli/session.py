"""Findings of one command: printed as they come, written at the end, whatever happens between."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ..engine.events import AuditFinished, Event
    from ..engine.executors import TaskExecutor
    from ..engine.request import AuditRequest
    from ..records import Chapter, Collection, Counterexample, Report

INTERRUPTED = 130
_COUNTS_FIRST = (INTERRUPTED, 1, 2, 3, 0)


def console() -> Console:
    """Return standard output, on which nothing more is printed once its reader has gone away, as `| head` does."""
    from rich.console import Console

    class Unread(Console):
        def on_broken_pipe(self) -> None:
            """Rich would end the program, and the files that were asked for would not be written."""
            self.quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python flushes at its end

    return Unread(highlight=False)


def complain(text: str) -> None:
    """Say what is wrong, on standard error."""
    typer.echo(f"gradcheck: {text}", err=True)


@dataclass(frozen=True)
class _Unusable:
    """Placeholder for a rule that could not be loaded."""

    problem: str


class _Handler:
    """Shows the events of a run, and prints each report once it is there, in the order of the requests."""

    def __init__(self, session: Session, requests: Sequence[AuditRequest]) -> None:
        self._session, self._requests = session, requests
        self._finished: dict[int, tuple[AuditFinished, Report | None]] = {}
        self._next = 0

    def __call__(self, event: Event) -> None:
        from ..engine import events

        if isinstance(event, events.Progress):
            self._session.progress(event.text)
        if isinstance(event, events.EvidenceFound) and len(self._requests) == 1:
            self._session.progress.found(event.claim, event.evidence)

    def ended(self, end: AuditFinished, report: Report | None) -> None:
        """Print the report of an audit that ended, after those of the requests before it."""
        self._finished[end.audit] = end, report
        while self._next in self._finished:
            end, report = self._finished[self._next]
            problem = f"gradcheck itself failed; please report this:\n{end.problem}" if end.broken else end.problem
            self._session.take(self._requests[self._next].name, report, problem, end.interrupted)
            self._next += 1

    def printed(self, problem: str) -> bool:
        """Return True if this problem was printed for an audit already."""
        return any(end.problem == problem for end, _ in self._finished.values())


class _Times:
    """Seconds of worker time, by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._rules: dict[int, str] = {}

    def __call__(self, event: Event) -> None:
        from ..engine import events

        if isinstance(event, events.AuditStarted):
            self._rules[event.audit] = event.rule
        if isinstance(event, events.TaskFinished):
            self.seconds[event.kind if event.audit >= 0 else event.piece] += event.seconds

    def print(self, console: Console) -> None:
        """Print what took most, first."""
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        for kind, seconds in sorted(self.seconds.items(), key=lambda pair: -pair[1]):
            table.add_row(f"{seconds:6.1f} s", kind)
        console.print("\nWorker time, by kind of task", style="bold")
        console.print(table)


class Session:
    """The findings of one command, and the status that it leaves with."""

    def __init__(
        self, paths: Iterable[Path], *, case: Path | None = None, quiet: bool = False, verbose: bool = False
    ) -> None:
        from ..report.progress import Progress

        self.paths, self.case, self.quiet, self.verbose = list(paths), case, quiet, verbose
        self.console = console()
        self.progress = Progress(sys.stderr, quiet=quiet)
        self.reports: list[Report] = []
        self.chapters: list[Chapter] = []
        self.title, self.heading, self._start = "", "", time.monotonic()
        self.times: _Times | None = None
        self.statuses: set[int] = set()

    @contextlib.contextmanager
    def interruptible(self) -> Any:
        """Open a context in which an interrupt ends the work and keeps what was found."""
        try:
            yield
        except KeyboardInterrupt as stop:
            partial = getattr(stop, "report", None)
            if partial is not None:
                self._keep(partial)
            self.statuses.add(INTERRUPTED)
            complain("interrupted; what was judged by now is kept")

    def resolve(self, target: str) -> list[tuple[str, Any]]:
        """Return the rules that the target names; where it is bad that is said at once, and comes in their place."""
        from ..reference.errors import GradcheckError
        from ..rules.load import resolve

        with self.progress:
            self.progress(f"loading {target}")
            try:
                return resolve(target)
            except GradcheckError as error:
                message = str(error)
        self._complain_of(target, message)
        return [(target, _Unusable(message))]

    def audits(
        self, wanted: Sequence[tuple[str, Any]], executor: AbstractContextManager[TaskExecutor], *,
        results: Path | None = None, minutes: float = 0.0, events: Path | None = None, **how: Any,
    ) -> None:  # fmt: skip
        """Audit rules on the executor, and print in order the report of each; one that fails stops no other.

        Args:
            wanted: each rule and its name, as `resolve` returns them.
            executor: where the tasks of the audits are performed.
            results: file of JSON lines that keeps results as they arrive.
            minutes: time to spend on further evidence.
            events: file of JSON lines that takes every event.
            how: further fields of each `AuditRequest`.
        """
        from ..engine.request import AuditRequest
        from ..engine.run import Interrupted, run
        from ..reference.errors import GradcheckError
        from ..rules.load import findable

        left_out, requests = dict[str, str](), list[AuditRequest]()
        with self.progress:
            for name, rule in dict(wanted).items():  # a rule that is named twice is audited once
                self.progress(f"loading {name}")
                request = AuditRequest(findable(name), name=name, **how)
                try:
                    if not isinstance(rule, _Unusable):
                        request.prepare()
                        requests.append(request)
                        continue
                    left_out[name] = rule.problem
                except GradcheckError as error:
                    left_out[name] = str(error)
        for name, problem in left_out.items():
            if not isinstance(dict(wanted)[name], _Unusable):
                self._complain_of(name, problem)
        for name, problem in left_out.items():
            self._leave_out(name, problem)
        handler = _Handler(self, requests)
        try:
            with self.progress, executor as opened, self._written(events) as write:
                if requests:
                    self.times = _Times()
                    handlers: list[Callable[[Event], None]] = [handler, self.times, write]
                    run(requests, opened, handlers=handlers, ended=handler.ended, results=results, minutes=minutes)
        except Interrupted:
            raise KeyboardInterrupt from None
        except GradcheckError as error:
            if not handler.printed(str(error)):
                self.reject(str(error))
        except Exception as error:
            if not handler.printed(str(error)):
                self.reject(f"gradcheck itself failed; please report this:\n{traceback.format_exc()}")

    @contextlib.contextmanager
    def _written(self, path: Path | None) -> Iterator[Callable[[Event], None]]:
        """Open a context with a handler that writes every event to a file of JSON lines."""
        if path is None:
            yield lambda event: None
            return
        import json

        from ..engine.events import to_data
        from ..reference.errors import GradcheckError

        try:
            file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise GradcheckError(f"{path} cannot be written: {error.strerror}") from error

        def write(event: Event) -> None:
            try:
                file.write(json.dumps(to_data(event), allow_nan=False) + "\n")
                file.flush()
            except OSError as error:
                raise GradcheckError(f"{path} cannot be written: {error.strerror}") from error

        with file:
            yield write

    def take(self, name: str, report: Report | None, problem: str, interrupted: bool) -> None:
        """Print and keep what came of one audit."""
        if interrupted:
            self.statuses.add(INTERRUPTED)
        with self.progress.aside():
            if problem or report is None:
                self._complain_of(name, problem)
                self._leave_out(name, problem)
            else:
                self._keep(report)

    def whole(self, **how: Any) -> None:
        """Make the correctness report of what is shipped."""
        with self.progress:
            self.progress("loading the shipped rules")
            from ..chapters import catalogue
            from ..reference.errors import GradcheckError

            self.title = catalogue.TITLE
            try:
                times = _Times()
                catalogue.report(progress=self.progress, finished=self._collect, handlers=[times], **how)
                self.times = times
            except GradcheckError as error:
                complain(str(error))
                self.statuses.add(2)

    def finish(self) -> None:
        """Write the files, print the summary, and leave with the status that counts first."""
        record = self._record()
        if record is None:
            raise typer.Exit(self._status())
        wrote = [path for path in self.paths if self._write(record.write, path)]
        wrote += [path for path, example in self._cases() if self._write(example.write, path)]
        if self.title:
            self.statuses.add(record.exit_status)
            self._print(lambda: self._print_whole(record))
        elif len(self.reports) > 1 and not self.quiet:
            self._print(self._print_summary)
        if self.verbose and self.times is not None and self.times.seconds:
            times = self.times
            self._print(lambda: times.print(self.console))
        if wrote:
            text = "\n".join(f"wrote {path}" for path in wrote)
            self._print(lambda: self.console.print(text, soft_wrap=True, markup=False))
        raise typer.Exit(self._status())

    def _collect(self, part: Report | Chapter) -> None:
        from ..records import Report

        if isinstance(part, Report):
            self.reports.append(part)
        else:
            self.chapters.append(part)

    def _keep(self, report: Report) -> None:
        self.reports.append(report)
        if self.title:
            return
        self.statuses.add(report.exit_status)
        if self.quiet:
            from ..report.text import summary_line

            self._print(lambda: self.console.print(summary_line(report), soft_wrap=True))
        else:
            from ..report.text import print_record

            self._print(lambda: print_record(report, self.console, verbose=self.verbose))
            self._print(self.console.print)

    def reject(self, problem: str) -> None:
        """Say that something asked for cannot be had; the rest goes on, and the status tells."""
        self.statuses.add(2)
        complain(problem)

    def _complain_of(self, name: str, problem: str) -> None:
        self.statuses.add(2)
        complain(problem if problem.startswith((name, repr(name))) else f"{name}: {problem}")

    def _leave_out(self, name: str, problem: str) -> None:
        from ..records import Report

        self.reports.append(Report(name, "", (), (), notes=(f"not judged: {problem.splitlines()[0]}",)))

    def _record(self) -> Report | Collection | None:

        judged = [report for report in self.reports if report.verdicts]
        if not judged and not self.chapters:
            return None
        if self.title:
            stopped = " (not all of them: it was interrupted)" if INTERRUPTED in self.statuses else ""
            return self._collection(self.title + stopped)
        if len(self.reports) == 1:
            return self.reports[0]
        return self._collection(self.heading or f"Audit of {len(self.reports)} rules")

    def _collection(self, title: str) -> Collection:
        from ..records import Collection
        from ..store.provenance import collect

        seconds = time.monotonic() - self._start
        return Collection(title, tuple(self.reports), tuple(self.chapters), seconds=seconds, provenance=collect())

    def _cases(self) -> list[tuple[Path, Counterexample]]:
        """Return the file of each counterexample: case.json, case-2.json, ..."""
        if self.case is None:
            return []
        found = [v.counterexample for report in self.reports for v in report.verdicts if v.counterexample]
        if not found:
            complain(f"there is no counterexample, so {self.case} was not written")
        stem, suffix = self.case.stem, self.case.suffix
        names = [self.case, *(self.case.with_name(f"{stem}-{n}{suffix}") for n in range(2, len(found) + 1))]
        return list(zip(names, found, strict=False))

    def _write(self, write: Callable[[Path], object], path: Path) -> bool:
        from ..reference.errors import GradcheckError

        try:
            write(path)
        except GradcheckError as error:
            complain(str(error))
        except Exception:
            complain(f"gradcheck itself failed to write {path}; please report this:\n{traceback.format_exc()}")
        else:
            return True
        self.statuses.add(2)
        return False

    def _print(self, what: Callable[[], None]) -> None:
        # A reader that has gone away (a pipe into head) must not cost the files.
        with contextlib.suppress(BrokenPipeError):
            what()

    def _print_whole(self, record: Any) -> None:
        from ..report.text import print_record, summary_line

        if not self.quiet:
            print_record(record, self.console, verbose=self.verbose)
            self.console.print(f"\n{'all of it holds' if record.passed else 'not all of it holds'}", style="bold")
            return
        for report in record.reports:
            self.console.print(summary_line(report), soft_wrap=True)

    def _print_summary(self) -> None:
        from rich.rule import Rule

        from ..report.text import summary_line

        self.console.print(Rule(style="dim"))
        for report in self.reports:
            self.console.print(summary_line(report), soft_wrap=True)

    def _status(self) -> int:
        return next((status for status in _COUNTS_FIRST if status in self.statuses), 0)
