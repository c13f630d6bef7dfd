"""What the options of the command line are, and from their text to what they stand for.

Everything here raises `GradcheckError` for text that stands for nothing, saying what would.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from .session import Session


class Effort(StrEnum):
    """How far an audit goes."""

    full = "full"
    quick = "quick"


EffortOption = Annotated[Effort, typer.Option(help="The sizes of the report, or a few small ones in seconds.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of every problem that is tried.")]
HtmlOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Write a self-contained page (.html).")]
JsonOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Write all of it as data (.json).")]
MdOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Write Markdown (.md).")]
JunitOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML for CI (.xml).")]
InProcessOption = Annotated[bool, typer.Option("--in-process", help="Run the rule in this process, without limits.")]
CallSecondsOption = Annotated[float, typer.Option(metavar="S", help="End a call of the rule that takes longer.")]
MemoryOption = Annotated[float, typer.Option(metavar="GIB", help="What the rule may take, in GiB (on Linux).")]
JobsOption = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, metavar="N", help="Make the units of the audit in N processes.")
]
ResultsOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Keep what each unit finds (.jsonl); an audit that was stopped goes on from it."),
]
DaskOption = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Make them on the Dask cluster of this scheduler.")
]
BudgetOption = Annotated[
    str | None, typer.Option(metavar="minutes=N", help="Spend this time on further evidence, where it adds power.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, and one line for each rule.")]


def outputs(**asked: Path | None) -> list[Path]:
    """The files to write, each looked at before any work is done."""
    from ..reference.errors import GradcheckError
    from ..report.files import check_path

    suffixes = {"html": ".html", "json": ".json", "md": ".md", "junit": ".xml", "case": ".json"}
    paths = [path for path in asked.values() if path is not None]
    for option, path in asked.items():
        if path is None:
            continue
        if path.suffix.lower() != suffixes[option] and not path.is_dir():
            raise GradcheckError(f"--{option} writes a file that ends in {suffixes[option]}; got {str(path)!r}")
        check_path(path)
    return paths


def minutes(text: str | None) -> float:
    """From minutes=N, or hours or seconds."""
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
        raise GradcheckError(f"--budget reads minutes=N, such as minutes=10, or hours or seconds; got {text!r}")
    return minutes


def pool(jobs: int | None, results: Path | None, dask: str | None, budget: str | None) -> Any:
    """Where the units of an audit are made; None where it is made here, step by step."""
    from ..reference.errors import GradcheckError

    if results is not None and results.suffix.lower() != ".jsonl" and not results.is_dir():
        raise GradcheckError(f"--results writes a file that ends in .jsonl; got {str(results)!r}")
    if jobs is None and results is None and dask is None and budget is None:
        return None
    from ..engine import pools
    from ..report.files import check_place

    if results is not None:
        check_place(results, "found.jsonl")
    if dask is None:
        return pools.processes(jobs)
    if jobs is not None:
        raise GradcheckError("--jobs asks for processes here, --dask for those of a cluster; give one of them")
    return pools.dask(dask)


def limits(call_seconds: float, memory: float) -> Any:
    """What a rule may use, from seconds and GiB."""
    from ..engine.isolation.parent import Limits
    from ..reference.errors import GradcheckError

    for option, value in (("--call-seconds", call_seconds), ("--memory", memory)):
        if not 0 < value < float("inf"):
            raise GradcheckError(f"{option} is a number greater than 0; got {value:g}")
    return Limits(call_seconds, int(memory * 2**30))


def claims(texts: Sequence[str] | None, session: Session) -> list[Any] | None:
    """The claims asked for; one that is none is complained of, and keeps no other from being judged."""
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
    """Claims known to be false, and why, from CLAIM=WHY."""
    from ..reference.errors import GradcheckError

    expected = {}
    for text in texts or ():
        claim, _, reason = (part.strip() for part in text.partition("="))
        if not claim or not reason:
            raise GradcheckError(f'--expect reads CLAIM=WHY, such as "exact=truncated on purpose"; got {text!r}')
        expected[claim] = reason
    return expected or None


def networks(texts: Sequence[str] | None) -> list[Any] | None:
    """Networks from text: tanh; relu,softmax; logistic,logistic,binary_cross_entropy; context:tanh; all."""
    from ..reference.errors import GradcheckError
    from ..reference.networks.base import ALL_CONTEXT_NETWORKS, ALL_NETWORKS, ContextNetwork, Network

    networks: list[Any] = []
    for text in texts or ():
        kind, _, rest = text.rpartition(":")
        if kind not in ("", "context"):
            raise GradcheckError(f"there is no kind of network {kind!r} (in {text!r}); write context: or nothing")
        parts = [part.strip().replace(" ", "_") for part in rest.split(",")]
        if parts == ["all"]:
            networks += ALL_CONTEXT_NETWORKS if kind else ALL_NETWORKS
        elif len(parts) > 3 or not all(parts):
            raise GradcheckError(f"the network {text!r} should read activation, or activation,output,loss, or all")
        else:
            networks.append((ContextNetwork if kind else Network)(*parts))
    return networks or None
