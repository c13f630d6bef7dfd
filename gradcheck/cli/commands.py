"""Commands: `gradcheck audit`, `replay`, `certify`, `report`, `libraries`, `list` and `faults`.

Exit status: 0 all claims hold; 1 a claim is refuted or its rule failed; 2 bad input (an option, a module, a rule's
signature, an output file); 3 a claim is inconclusive or not run; 130 interrupted. With several rules, the exit status
is the most severe one: 1, then 2, then 3, then 0.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import __version__
from . import options
from .options import (
    BudgetOption,
    CallSecondsOption,
    CaseOption,
    DaskOption,
    Effort,
    EffortOption,
    EventsOption,
    HtmlOption,
    InProcessOption,
    JobsOption,
    JsonOption,
    JunitOption,
    MdOption,
    MemoryOption,
    ProblemsOption,
    QuietOption,
    ResultsOption,
    SeedOption,
    VerboseOption,
)
from .session import Session, complain, console
from .status import INTERRUPTED, UNSETTLED, USAGE

app = typer.Typer(
    name="gradcheck",
    help="Proofs, not tolerances, for the gradients of recurrent networks.",
    epilog="Exit status: 0 all claims hold, 1 one is refuted or its rule failed, 2 bad input, 3 one is unsettled.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
        typer.Option(metavar="CLAIM", help="Judge this claim (see gradcheck list), not the declared ones. Repeatable."),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NET",
            help="Judge on this network: tanh, or relu,softmax (activation,output,loss), or lstm,biases=2:tanh, or "
            "all. Repeatable.",
        ),
    ] = None,
    problems: ProblemsOption = None,
    effort: EffortOption = Effort.full,
    seed: SeedOption = 0,
    expect: Annotated[
        list[str] | None,
        typer.Option(metavar="CLAIM=WHY", help="Declare that CLAIM is false, and WHY; fails if it holds. Repeatable."),
    ] = None,
    html: HtmlOption = None,
    json: JsonOption = None,
    md: MdOption = None,
    junit: JunitOption = None,
    case: CaseOption = None,
    jobs: JobsOption = None,
    results: ResultsOption = None,
    dask: DaskOption = None,
    budget: BudgetOption = None,
    events: EventsOption = None,
    in_process: InProcessOption = False,
    call_seconds: CallSecondsOption = 60.0,
    memory: MemoryOption = 4.0,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Judge what rules claim, by the strongest evidence that their code permits.

    \b
    [bold]Examples[/bold]
      gradcheck audit bptt
      gradcheck audit my_rules.py:rtrl --claim exact --html rtrl.html
      gradcheck audit my_rules.py --network logistic --effort quick
      gradcheck audit my_rules.py --results saved.jsonl --budget minutes=30
    """  # noqa: D301
    with _usage_errors():
        paths = options.outputs(html=html, json=json, md=md, junit=junit)
        options.outputs(case=case)
        networks, expected = options.networks(network), options.expected(expect)
        limits = options.limits(call_seconds, memory)
        minutes = options.minutes(budget)
        given = options.problems(problems)
        executor = options.executor(jobs, results, dask, in_process=in_process)
    session = Session(paths, case=case, quiet=quiet, verbose=verbose)
    claims = options.claims(claim, session)
    with session.interruptible():
        wanted = [pair for target in targets for pair in session.resolve(target)]
        how: dict[str, Any] = {"claims": claims and tuple(claims), "networks": networks and tuple(networks)}
        how["expected"] = expected
        how |= {"effort": effort.value, "seed": seed, "problems": given}
        how["limits"] = None if in_process else limits
        session.audits(wanted, executor, results=results, minutes=minutes, events=events, **how)
    session.finish()


@app.command()
def report(
    html: HtmlOption = None,
    json: JsonOption = None,
    md: MdOption = None,
    junit: JunitOption = None,
    effort: EffortOption = Effort.full,
    seed: SeedOption = 0,
    jobs: JobsOption = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Judge every shipped rule, and the lecture that they come from.

    Writes gradcheck-report.html into the current folder unless another file is named.

    Takes about ten minutes on two cores; --effort quick takes less.

    \b
    [bold]Examples[/bold]
      gradcheck report
      gradcheck report --html report.html --json report.json
    """  # noqa: D301
    if not any((html, json, md, junit)):
        html = Path("gradcheck-report.html")
    with _usage_errors():
        paths = options.outputs(html=html, json=json, md=md, junit=junit)
    session = Session(paths, quiet=quiet, verbose=verbose)
    with session.interruptible():
        session.whole(effort=effort.value, seed=seed, jobs=jobs)
    session.finish()


@app.command()
def libraries(
    library: Annotated[
        list[str] | None,
        typer.Argument(metavar="LIBRARY", show_default=False, help="torch or jax; those installed if left out."),
    ] = None,
    html: HtmlOption = None,
    json: JsonOption = None,
    md: MdOption = None,
    junit: JunitOption = None,
    effort: EffortOption = Effort.quick,
    seed: SeedOption = 0,
    jobs: JobsOption = None,
    results: ResultsOption = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Judge the recurrent layers of torch, and each cell as a JAX scan, on the versions that are installed.

    Takes about ten minutes on two cores, nearly all of it JAX's compilations.

    \b
    [bold]Examples[/bold]
      gradcheck libraries torch
      gradcheck libraries --effort full --html libraries.html
    """  # noqa: D301
    from ..chapters import libraries as audited

    with _usage_errors():
        paths = options.outputs(html=html, json=json, md=md, junit=junit)
        names = audited.names(library or None)
        executor = options.executor(jobs, results, None, in_process=False)
    session = Session(paths, quiet=quiet, verbose=verbose)
    session.heading = audited.TITLE
    with session.interruptible():
        wanted = [pair for name in names for pair in session.resolve(name)]
        session.audits(wanted, executor, results=results, effort=effort.value, seed=seed)
    session.finish()


@app.command(no_args_is_help=True)
def replay(
    case: Annotated[Path, typer.Argument(metavar="CASE", show_default=False, help="A file that audit --case saved.")],
    target: Annotated[
        str, typer.Argument(metavar="TARGET", show_default=False, help="One rule, named as for gradcheck audit.")
    ],
) -> None:
    """Run a rule on a saved counterexample and report STILL WRONG, FIXED or ERROR.

    FIXED means that every entry of every parameter is within the rounding allowance.

    Exit status: 0 fixed, 1 still wrong or the rule failed, 2 bad input, 3 not settled.

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


@app.command(no_args_is_help=True)
def certify(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", show_default=False, help="One online rule, named as for gradcheck audit.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False, help="Where to write certificates.")],
    network: Annotated[
        list[str] | None,
        typer.Option(metavar="NET", help="Prove it on this network, named as for gradcheck audit. Repeatable."),
    ] = None,
) -> None:
    """Prove that an online rule is exact for every T, and write the proofs for an independent checker.

    The checker is one file, evidence/exact/induction/check.py in gradcheck's folder, and needs Python alone.

    Exit status: 0 every proof was found, 2 bad input, 3 one was not.

    \b
    [bold]Example[/bold]
      gradcheck certify RTRL proofs --network tanh
    """  # noqa: D301
    with _usage_errors():
        from ..evidence.exact.induction.certify import certify
        from ..reference.errors import GradcheckError
        from ..rules.load import resolve

        networks = options.networks(network)
        rules = resolve(target)
        if len(rules) > 1:
            raise GradcheckError(f"{target} names {len(rules)} rules; name one: {', '.join(name for name, _ in rules)}")
        out = console()
        made = certify(
            rules[0][1],
            folder,
            networks=networks,
            progress=lambda one: out.print(str(one), soft_wrap=True, markup=False),
        )
    raise typer.Exit(0 if made and all(one.path for one in made) else UNSETTLED)


@app.command("list")
def list_rules() -> None:
    """List the shipped rules with their claims, and every claim that can be made."""
    from ..report.listing import print_listing

    print_listing(console())


@app.command()
def faults(
    fault: Annotated[
        str | None, typer.Argument(metavar="ID", show_default=False, help="Show this fault, with its code.")
    ] = None,
    matrix: Annotated[
        bool,
        typer.Option(
            "--matrix", help="Show who catches what: all kinds of evidence, and other checkers. Takes 15 min."
        ),
    ] = False,
    json: JsonOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Show the gallery of wrong gradients: right rules with one mistake each.

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
    """Print each fault's row as it arrives, then the totals. An interrupt keeps the rows so far."""
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
        complain("interrupted; the rows so far are kept")
    if found:
        gallery.print_totals(out, found)
    with _usage_errors():
        for path in paths:
            gallery.write_matrix(path, found)
            out.print(f"wrote {path}", soft_wrap=True, markup=False)
    if stopped:
        raise typer.Exit(INTERRUPTED)


@contextlib.contextmanager
def _usage_errors() -> Iterator[None]:
    """Turn a `GradcheckError` into a message and exit status 2."""
    from ..reference.errors import GradcheckError

    try:
        yield
    except GradcheckError as error:
        complain(str(error))
        raise typer.Exit(USAGE) from None
