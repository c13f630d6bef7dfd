"""Progress of an audit on standard error.

In a terminal the last line names the current step, and the lines above it show the evidence so far; all of them are
erased before the report is printed. Elsewhere a line is printed now and then.

The stream is taken when the progress is created: while a rule runs, `sys.stderr` is replaced to catch what the rule
prints, and our lines must not be taken for the rule's.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ..records import Evidence, Status
from .text import STYLES
from .words import one_line, short, word

FIRST, BETWEEN = 1.0, 10.0
"""Seconds until the first line where there is no terminal, and between lines."""
WIDTH = 80
"""Columns of a line where there is no terminal."""


class Progress:
    """Context manager that shows progress. Call it with a line of text at each step.

    Args:
        stream: Where to print.
        quiet: Print nothing.
    """

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        self._stream, self._quiet = stream, quiet
        self._console = Console(file=stream)
        self._text = "starting"
        self._found: dict[tuple[str, str], Evidence] = {}
        self._spinner = Spinner("dots")
        self._live: Live | None = None
        self._thread: threading.Thread | None = None
        self._done = threading.Event()

    def __call__(self, text: str) -> None:
        self._text = one_line(text)

    def found(self, claim: str, evidence: Evidence) -> None:
        """Show a piece of evidence, unless it could not be applied.

        Args:
            claim: The claim, as printed.
            evidence: The evidence.
        """
        if evidence.status is not Status.NOT_RUN:
            self._found[claim, evidence.kind] = evidence
            if self._live is not None:
                self._live.refresh()

    def __enter__(self) -> Progress:
        self._start = time.monotonic()
        self._found = {}
        self._done.clear()
        if self._quiet:
            return self
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                self, console=self._console, transient=True, refresh_per_second=8,
                redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            self._live.start()
        else:
            self._thread = threading.Thread(target=self._lines, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Stop the live lines while others print, and forget the evidence so far, which the report has."""
        if self._live is not None:
            self._live.stop()
        try:
            yield
        finally:
            self._found.clear()
            if self._live is not None:
                self._live.start()

    @property
    def seconds(self) -> float:
        """Seconds since the context was entered."""
        return time.monotonic() - self._start

    def __rich__(self) -> Group:
        lines = [_line(claim, evidence) for (claim, _), evidence in list(self._found.items())]
        return Group(*lines[2 - self._console.height :], self._doing())

    def _doing(self) -> Table:
        line = Table.grid(padding=(0, 1))
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True)
        line.add_row(self._spinner, Text(f"{self.seconds:.0f} s  {self._text}", overflow="ellipsis", no_wrap=True))
        return line

    def _lines(self) -> None:
        wait, last = FIRST, ""
        while not self._done.wait(wait):
            wait = BETWEEN
            if self._text != last:
                last = self._text
                try:
                    print(_cut(f"{self.seconds:4.0f} s  {last}"), file=self._stream, flush=True)
                except (OSError, ValueError):  # nobody reads any more
                    return


def _line(claim: str, evidence: Evidence) -> Text:
    """Return a line such as "PROVED  exact, by formal evidence: equal as polynomials"."""
    found = word(evidence)
    line = Text(no_wrap=True, overflow="ellipsis").append(f"{found:<14}", style=STYLES.get(found, ""))
    return line.append(one_line(f"{short(claim)}, by {evidence.kind} evidence: {evidence.statement}"))


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 4] + " ..."
