"""Options of the command line, and the functions that parse and validate them.

Each parser raises `GradcheckError` for text that it cannot read, with an example of text that it can.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from .session import Session


class Effort(StrEnum):
    """Sizes of the problems of an audit."""

    full = "full"
    quick = "quick"


_FILES, _RUNNING, _SHOWN = "Files to write", "How to run", "What to show"

EffortOption = Annotated[Effort, typer.Option(help="Full sizes, or a few small ones, for a first look.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of every problem.")]
HtmlOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write a self-contained page (.html).", rich_help_panel=_FILES)
]
JsonOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write every detail as data (.json).", rich_help_panel=_FILES)
]
MdOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Write Markdown (.md).", rich_help_panel=_FILES)]
JunitOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write JUnit XML for CI (.xml).", rich_help_panel=_FILES)
]
CaseOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Save the counterexample for gradcheck replay (.json); further ones as FILE-2, ...",
        rich_help_panel=_FILES,
    ),
]
EventsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write every event as it happens, as JSON lines (.jsonl).", rich_help_panel=_FILES
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", min=1, metavar="N", help="Number of workers; one per core if left out.",
        rich_help_panel=_RUNNING,
    ),
]  # fmt: skip
DaskOption = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Use the workers of the Dask scheduler at ADDRESS.", rich_help_panel=_RUNNING),
]
ResultsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Save results as they arrive (.jsonl). Run the same command again to resume.",
        rich_help_panel=_RUNNING,
    ),
]
ProblemsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Judge on these problems too (.json, from gradcheck.save_problems; or a case).",
    ),
]
BudgetOption = Annotated[
    str | None,
    typer.Option(metavar="minutes=N", help="Spend this much more time on further evidence.", rich_help_panel=_RUNNING),
]
InProcessOption = Annotated[
    bool,
    typer.Option(
        "--in-process", help="Run the rule in this process, for a debugger, without limits.", rich_help_panel=_RUNNING
    ),
]
CallSecondsOption = Annotated[
    float,
    typer.Option(metavar="S", help="Time limit for one call of the rule, in seconds.", rich_help_panel=_RUNNING),
]
MemoryOption = Annotated[
    float,
    typer.Option(metavar="GIB", help="Memory limit for the rule, in GiB (Linux only).", rich_help_panel=_RUNNING),
]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v",
        help="Show all evidence, what it could not see, and the workers' time by kind of task.",
        rich_help_panel=_SHOWN,
    ),
]  # fmt: skip
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Show no progress, and one line per rule.", rich_help_panel=_SHOWN),
]


def outputs(**asked: Path | None) -> list[Path]:
    """Return the files to write, checked before any work is done.

    Args:
        asked: The path given to each option, by the option's name.

    Raises:
        GradcheckError: A path has the wrong suffix, or no file can be written there.
    """
    from ..reference.errors import GradcheckError
    from ..report.files import check_path

    suffixes = {"html": ".html", "json": ".json", "md": ".md", "junit": ".xml", "case": ".json"}
    paths = [path for path in asked.values() if path is not None]
    for option, path in asked.items():
        if path is None:
            continue
        if path.suffix.lower() != suffixes[option] and not path.is_dir():
            raise GradcheckError(f"--{option} writes a {suffixes[option]} file; got {str(path)!r}")
        check_path(path)
    return paths


def minutes(text: str | None) -> float:
    """Return the minutes of a budget such as `minutes=10`, `hours=2` or `seconds=30`; 0 for none.

    Raises:
        GradcheckError: The text is no budget, or not a positive and finite one.
    """
    from ..reference.errors import GradcheckError

    if text is None:
        return 0.0
    unit, _, number = (part.strip() for part in text.partition("="))
    in_minutes = {"seconds": 1 / 60, "minutes": 1.0, "hours": 60.0}
    try:
        minutes = float(number) * in_minutes[unit]
    except (KeyError, ValueError):
        minutes = 0.0
    if not 0 < minutes < float("inf"):
        raise GradcheckError(f"--budget needs a positive time such as minutes=10, hours=2 or seconds=30; got {text!r}")
    return minutes


def executor(jobs: int | None, results: Path | None, dask: str | None, *, in_process: bool) -> Any:
    """Return a context with the executor of an audit's tasks.

    Args:
        jobs: number of workers; one for each core if None.
        results: file that keeps results, checked before any work is done.
        dask: address of a Dask scheduler.
        in_process: whether rules run in this process.
    """
    from ..engine.executors import Here, Workers, available
    from ..reference.errors import GradcheckError

    if results is not None:
        from ..store.files import check_place

        if results.suffix.lower() != ".jsonl" and not results.is_dir():
            raise GradcheckError(f"--results writes a .jsonl file; got {str(results)!r}")
        check_place(results, "found.jsonl")
    if dask is not None:
        if jobs is not None:
            raise GradcheckError("--jobs starts workers here, and --dask uses those of a cluster; give one of them")
        from ..engine.executors import dask as cluster

        return cluster(dask)
    if in_process and jobs is None:
        return contextlib.nullcontext(Here())
    return contextlib.nullcontext(Workers(available() if jobs is None else jobs))


def limits(call_seconds: float, memory: float) -> Any:
    """Return the limits of a rule.

    Args:
        call_seconds: Time limit for one call, in seconds.
        memory: Memory limit, in GiB.

    Raises:
        GradcheckError: A limit is not positive and finite.
    """
    from ..engine.request import Limits
    from ..reference.errors import GradcheckError

    for option, value in (("--call-seconds", call_seconds), ("--memory", memory)):
        if not 0 < value < float("inf"):
            raise GradcheckError(f"{option} needs a number greater than 0; got {value:g}")
    return Limits(call_seconds, int(memory * 2**30))


def claims(texts: Sequence[str] | None, session: Session) -> list[Any] | None:
    """Parse the claims; report a bad one to the session and keep the others.

    Raises:
        typer.Exit: No claim is left.
    """
    from ..reference.claims import parse_claim
    from ..reference.errors import GradcheckError

    claims = []
    for text in texts or ():
        try:
            claims.append(parse_claim(text))
        except GradcheckError as error:
            session.reject(str(error))
    if texts and not claims:
        raise typer.Exit(2)
    return claims or None


def expected(texts: Sequence[str] | None) -> dict[str, str] | None:
    """Return the claims known to be false, each with the reason, from texts that read CLAIM=WHY.

    Raises:
        GradcheckError: A text lacks the claim or the reason.
    """
    from ..reference.errors import GradcheckError

    expected = {}
    for text in texts or ():
        claim, _, reason = (part.strip() for part in text.partition("="))
        if not claim or not reason:
            raise GradcheckError(f'--expect needs CLAIM=WHY, such as "exact=truncated on purpose"; got {text!r}')
        expected[claim] = reason
    return expected or None


def problems(path: Path | None) -> Any:
    """Return the file of problems, read; None for none.

    Raises:
        GradcheckError: It cannot be read, or holds no problems.
    """
    from ..store.problems import opened

    return opened(path)


def networks(texts: Sequence[str] | None) -> list[Any] | None:
    """Return networks from text: tanh; logistic,logistic,binary_cross_entropy; context:tanh; lstm,peepholes=true; all.

    Raises:
        GradcheckError: A text names no network.
    """
    from ..reference.errors import GradcheckError
    from ..reference.network import ALL_CONTEXT_NETWORKS, ALL_NETWORKS
    from ..reference.networks import registry

    networks: list[Any] = []
    for text in texts or ():
        before, colon, rest = text.partition(":")
        kind, *options = (part.strip() for part in before.split(","))
        if not colon and kind not in registry.SHORT:
            kind, options, rest = "", [], text
        if kind and kind not in registry.SHORT:
            raise GradcheckError(
                f"there is no kind of network {kind!r}; write {rest}, or a kind before it, as in context:{rest}; "
                f"kinds are {', '.join(registry.SHORT)}"
            )
        parts = [part.strip().replace(" ", "_") for part in rest.split(",")] if rest.strip() or not kind else []
        if parts == ["all"] and kind in ("", "context") and not options:
            networks += ALL_CONTEXT_NETWORKS if kind else ALL_NETWORKS
        elif len(parts) > 3 or not all(parts):
            raise GradcheckError(
                f"cannot read the network {text!r}; write activation, or activation,output,loss, or all"
            )
        else:
            made = registry.SHORT[kind] if kind else registry.SHIPPED["Network"]
            networks.append(made(*parts, **dict(_option(made, option) for option in options)))
    return networks or None


def _option(made: Any, text: str) -> tuple[str, Any]:
    """Return an option of a network: peepholes=true, reset=after, biases=2."""
    from ..reference.errors import GradcheckError
    from ..reference.networks import registry

    known = registry.OPTIONS[made.__name__]
    name, _, value = (part.strip() for part in text.partition("="))
    if name not in known:
        listed = f"its options are {', '.join(known)}" if known else "it has none"
        raise GradcheckError(f"{made.__name__} has no option {name!r}; {listed}, each written as name=value")
    if value in ("true", "false"):
        return name, value == "true"
    for number in (int, float):
        try:
            return name, number(value)
        except ValueError:
            pass
    return name, value
