"""What one command finds: printed as it comes, written at the end, whatever happens between."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ..engine.isolation.parent import Limits
    from ..engine.pools import Pool
    from ..engine.units import Asked
    from ..records import Chapter, Collection, Counterexample, Report

INTERRUPTED = 130
_COUNTS_FIRST = (INTERRUPTED, 1, 2, 3, 0)


def console() -> Console:
    """Standard output. Where its reader has gone away, as `| head` does, nothing more is printed, and work goes on."""
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
    """What stands in place of a rule that could not be loaded."""

    problem: str


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
        self.title = ""
        self.statuses: set[int] = set()

    @contextlib.contextmanager
    def interruptible(self) -> Any:
        """A context in which an interrupt ends the work and keeps what was found."""
        try:
            yield
        except KeyboardInterrupt as stop:
            partial = getattr(stop, "report", None)
            if partial is not None:
                self._keep(partial, None)
            self.statuses.add(INTERRUPTED)
            complain("interrupted; what was judged by now is kept")

    def resolve(self, target: str) -> list[tuple[str, Any]]:
        """The rules that the target names; where it is bad that is said at once, and comes in their place."""
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

    def audit(self, name: str, rule: Any, **how: Any) -> None:
        """Audit one rule and print what came of it; a rule that cannot be judged stops no other."""
        if isinstance(rule, _Unusable):
            self._leave_out(name, rule.problem)
            return
        from ..reference.errors import GradcheckError

        problem = ""
        with self.progress:
            self.progress(f"loading {name}")
            try:
                from ..engine.audit import audit

                found = audit(rule, progress=self.progress, found=self.progress.found, **how)
            except GradcheckError as error:
                problem = str(error)
            except Exception:
                problem = f"gradcheck itself failed on {name}; please report this:\n{traceback.format_exc()}"
            seconds = self.progress.seconds
        if problem:
            self._complain_of(name, problem)
            self._leave_out(name, problem)
        else:
            self._keep(found, seconds)

    def audits(
        self, wanted: Sequence[tuple[str, Any]], pool: AbstractContextManager[Pool], *, results: Path | None,
        minutes: float, isolated: bool, limits: Limits, **how: Any,
    ) -> None:  # fmt: skip
        """Audit rules in units that the pool makes, and print in order what came of each."""
        from ..engine.running import audits
        from ..engine.units import Asked
        from ..reference.errors import GradcheckError
        from ..rules.load import findable

        left_out, asked = dict[str, str](), list[Asked]()
        for name, rule in dict(wanted).items():  # what is named twice is audited once
            each = Asked(name, findable(name), limits=limits if isolated else None, **how)
            try:
                if not isinstance(rule, _Unusable):
                    each.rule()
                    asked.append(each)
                    continue
                left_out[name] = rule.problem
            except GradcheckError as error:
                left_out[name] = str(error)
                self._complain_of(name, str(error))
        heard = None if len(asked) != 1 else lambda asked, claim, evidence: self.progress.found(claim, evidence)
        try:
            with self.progress, pool as opened:
                audits(
                    asked, opened, results=results, minutes=minutes, progress=self.progress, found=heard,
                    finished=lambda asked, report: self._keep_aside(report), failed=self._failed_aside,
                )  # fmt: skip
        except GradcheckError as error:
            self.reject(str(error))
        finally:
            for name, problem in left_out.items():
                self._leave_out(name, problem)

    def _failed_aside(self, asked: Asked, problem: str) -> None:
        with self.progress.aside():
            self._complain_of(asked.name, problem)
        self._leave_out(asked.name, problem)

    def _keep_aside(self, report: Report) -> None:
        with self.progress.aside():
            self._keep(report, None)

    def whole(self, **how: Any) -> None:
        """The correctness report of what is shipped."""
        with self.progress:
            self.progress("loading the shipped rules")
            from ..chapters import catalogue
            from ..reference.errors import GradcheckError

            self.title = catalogue.TITLE
            try:
                processes = min(2, os.cpu_count() or 1)
                catalogue.report(progress=self.progress, finished=self._collect, processes=processes, **how)
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

    def _keep(self, report: Report, seconds: float | None) -> None:
        self.reports.append(report)
        if self.title:
            return
        self.statuses.add(report.exit_status)
        if self.quiet:
            from ..report.text import summary_line

            self._print(lambda: self.console.print(summary_line(report), soft_wrap=True))
        else:
            from ..report.text import print_record

            self._print(lambda: print_record(report, self.console, verbose=self.verbose, seconds=seconds))
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
        from ..records import Collection

        judged = [report for report in self.reports if report.verdicts]
        if not judged and not self.chapters:
            return None
        if self.title:
            stopped = " (not all of them: it was interrupted)" if INTERRUPTED in self.statuses else ""
            return Collection(self.title + stopped, tuple(self.reports), tuple(self.chapters))
        if len(self.reports) == 1:
            return self.reports[0]
        return Collection(f"Audit of {len(self.reports)} rules", tuple(self.reports))

    def _cases(self) -> list[tuple[Path, Counterexample]]:
        """Where each counterexample goes: case.json, case-2.json, ..."""
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
