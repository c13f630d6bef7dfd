"""What an audit is doing right now, on standard error: lines that come and go, or a line now and then.

In a terminal the last line says what is being done, and above it stands what each kind of evidence came to; all of it
is gone when the report is printed, which says it better.

The stream is taken when the progress is made: while a rule runs, what is called `sys.stderr` catches what
the rule prints, and our lines must not be taken for the rule's.
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
from .words import one_line, word

FIRST, BETWEEN = 1.0, 10.0
"""Seconds until the first line where there is no terminal, and between lines."""
WIDTH = 80
"""Columns of a line where there is no terminal."""


class Progress:
    """A context to work in. Called with a line of text at each step; prints nothing where `quiet`."""

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
        """Show what a kind of evidence came to; what could not be applied is not worth a line."""
        if evidence.status is not Status.NOT_RUN:
            self._found[claim, evidence.kind] = evidence
            if self._live is not None:
                self._live.refresh()  # it is what is waited for

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
        """A context in which others print."""
        if self._live is not None:
            self._live.stop()
        try:
            yield
        finally:
            if self._live is not None:
                self._live.start()

    @property
    def seconds(self) -> float:
        """Since the context was entered."""
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
    """PROVED        exact, by formal evidence: equal as polynomials, ..."""
    found = word(evidence)
    line = Text(no_wrap=True, overflow="ellipsis").append(f"{found:<14}", style=STYLES.get(found, ""))
    return line.append(one_line(f"{claim}, by {evidence.kind} evidence: {evidence.statement}"))


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 4] + " ..."
