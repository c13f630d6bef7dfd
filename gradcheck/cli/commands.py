"""The command line: `gradcheck audit`, `gradcheck replay`, `gradcheck report`, `gradcheck list`, `gradcheck faults`.

Exit status: 0 all claims hold; 1 a claim is refuted or its rule failed; 2 something could not be used (an
option, a module, a rule's signature, an output file); 3 a claim is inconclusive or was not judged; 130
interrupted. Of several, 1 counts before 2, 2 before 3, 3 before 0.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import __version__
from . import options
from .options import (
    BudgetOption,
    CallSecondsOption,
    DaskOption,
    Effort,
    EffortOption,
    HtmlOption,
    InProcessOption,
    JobsOption,
    JsonOption,
    JunitOption,
    MdOption,
    MemoryOption,
    QuietOption,
    ResultsOption,
    SeedOption,
)
from .session import INTERRUPTED, Session, complain, console

app = typer.Typer(
    name="gradcheck",
    help="Proofs, not tolerances, for the gradients of recurrent networks.",
    epilog="Exit status: 0 all claims hold, 1 a claim is refuted or the rule failed, 2 bad input, 3 not settled.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """The entry point `gradcheck`."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows no box characters, or a formula's symbols, is no reason to fail.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        app(prog_name="gradcheck")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gradcheck {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command(no_args_is_help=True)
def audit(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET",
            show_default=False,
            help="module:rule, file.py:rule, a module or file (every rule that it declares), or a shipped rule's name.",
        ),
    ],
    claim: Annotated[
        list[str] | None,
        typer.Option(metavar="CLAIM", help="Judge this claim, not what the rule declares. Repeatable."),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NET",
            help="Judge it on this network: activation,output,loss, or all. Repeatable.",
        ),
    ] = None,
    effort: EffortOption = Effort.full,
    seed: SeedOption = 0,
    expect: Annotated[
        list[str] | None,
        typer.Option(metavar="CLAIM=WHY", help="A claim known to be false; it is reported if it holds. Repeatable."),
    ] = None,
    html: HtmlOption = None,
    json: JsonOption = None,
    md: MdOption = None,
    junit: JunitOption = None,
    case: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Save the counterexample for gradcheck replay (.json); more as FILE-2, ..."),
    ] = None,
    jobs: JobsOption = None,
    results: ResultsOption = None,
    dask: DaskOption = None,
    budget: BudgetOption = None,
    in_process: InProcessOption = False,
    call_seconds: CallSecondsOption = 60.0,
    memory: MemoryOption = 4.0,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Cut nothing; say what could not be seen.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Judge what rules claim, each claim by the strongest evidence that the rule's code permits.

    \b
    [bold]Examples[/bold]
      gradcheck audit bptt
      gradcheck audit my_rules.py:rtrl --claim exact --html rtrl.html
      gradcheck audit my_rules.py --network logistic --effort quick
      gradcheck audit my_rules.py --jobs 8 --results found.jsonl --budget minutes=30
    """  # noqa: D301
    with _usage_errors():
        paths = options.outputs(html=html, json=json, md=md, junit=junit)
        options.outputs(case=case)
        networks, expected = options.networks(network), options.expected(expect)
        limits = options.limits(call_seconds, memory)
        minutes, pool = options.minutes(budget), options.pool(jobs, results, dask, budget)
    session = Session(paths, case=case, quiet=quiet, verbose=verbose)
    claims = options.claims(claim, session)
    with session.interruptible():
        wanted = [pair for target in targets for pair in session.resolve(target)]
        how: dict[str, Any] = {"claims": claims, "networks": networks, "expected": expected}
        how |= {"effort": effort.value, "seed": seed}
        isolated = not in_process
        if pool is not None:
            session.audits(wanted, pool, results=results, minutes=minutes, isolated=isolated, limits=limits, **how)
        else:
            for name, rule in wanted:
                session.audit(name, rule, **how, isolated=isolated, limits=limits)
    session.finish()


@app.command()
def report(
    html: HtmlOption = None,
    json: JsonOption = None,
    md: MdOption = None,
    junit: JunitOption = None,
    effort: EffortOption = Effort.full,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """The whole correctness report: every shipped rule, and the lecture that they come from, judged.

    Without a file to write it writes gradcheck-report.html into the current folder.

    \b
    [bold]Examples[/bold]
      gradcheck report
      gradcheck report --html report.html --json report.json
    """  # noqa: D301
    if not any((html, json, md, junit)):
        html = Path("gradcheck-report.html")
    with _usage_errors():
        paths = options.outputs(html=html, json=json, md=md, junit=junit)
    session = Session(paths, quiet=quiet)
    with session.interruptible():
        session.whole(effort=effort.value, seed=seed)
    session.finish()


@app.command(no_args_is_help=True)
def replay(
    case: Annotated[Path, typer.Argument(metavar="CASE", show_default=False, help="What audit --case has saved.")],
    target: Annotated[
        str, typer.Argument(metavar="TARGET", show_default=False, help="One rule, named as for gradcheck audit.")
    ],
) -> None:
    """Run a rule on a saved counterexample: is it STILL WRONG, FIXED, or an ERROR?

    FIXED is every entry of every parameter within what rounding allows, not only the entry that was wrong. Exit
    status: 0 fixed, 1 still wrong or the rule failed, 2 bad input, 3 not settled.

    \b
    [bold]Example[/bold]
      gradcheck replay case.json my_rules.py:rtrl
    """  # noqa: D301
    with _usage_errors():
        from ..engine.replay import replay
        from ..reference.errors import GradcheckError
        from ..rules.load import resolve
        from ..store.case import read

        read(case)
        rules = resolve(target)
        if len(rules) > 1:
            raise GradcheckError(f"{target} names {len(rules)} rules; name one: {', '.join(name for name, _ in rules)}")
        outcome = replay(case, rules[0][1])
    typer.echo(str(outcome))
    raise typer.Exit(outcome.exit_status)


@app.command("list")
def list_rules() -> None:
    """The shipped rules with their claims, and the claims that can be made."""
    from ..report.listing import print_listing

    print_listing(console())


@app.command()
def faults(
    fault: Annotated[
        str | None, typer.Argument(metavar="ID", show_default=False, help="Show this fault, with its code.")
    ] = None,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="Who catches what: every kind of evidence, and other checkers.")
    ] = False,
    json: JsonOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """The gallery of wrong gradients: shipped rules with one mistake each.

    \b
    [bold]Examples[/bold]
      gradcheck faults
      gradcheck faults influence-not-reset
      gradcheck faults --matrix --json matrix.json
    """  # noqa: D301
    from ..reference.errors import GradcheckError

    with _usage_errors():
        if json is not None and not matrix:
            raise GradcheckError("--json writes the matrix; add --matrix")
        paths = options.outputs(json=json)
        from ..faults import FAULTS, fault_named
        from ..report import gallery

        chosen = (fault_named(fault),) if fault else FAULTS
    if matrix:
        _matrix(chosen, paths, quiet)
    elif fault:
        gallery.print_fault(console(), chosen[0])
    else:
        gallery.print_gallery(console())


def _matrix(chosen: Sequence[Any], paths: Sequence[Path], quiet: bool) -> None:
    """Print each fault's row as it comes, then the totals; what was found before an interrupt is kept."""
    from ..chapters.matrix import rows
    from ..report import gallery
    from ..report.progress import Progress

    out, found, stopped = console(), list[Any](), False
    progress = Progress(sys.stderr, quiet=quiet)
    try:
        with progress:
            for row in rows(chosen, progress=lambda text: progress(f"{len(found) + 1} of {len(chosen)}, {text}")):
                if not found:
                    gallery.print_head(out, list(row.outcomes))
                found.append(row)
                gallery.print_row(out, row)
    except KeyboardInterrupt:
        stopped = True
        complain("interrupted; what was found by now is kept")
    if found:
        gallery.print_totals(out, found)
    with _usage_errors():
        for path in paths:
            gallery.write_matrix(path, found)
            out.print(f"wrote {path}", soft_wrap=True, markup=False)
    if stopped:
        raise typer.Exit(INTERRUPTED)


@contextlib.contextmanager
def _usage_errors() -> Any:
    from ..reference.errors import GradcheckError

    try:
        yield
    except GradcheckError as error:
        complain(str(error))
        raise typer.Exit(2) from None
