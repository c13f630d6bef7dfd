"""The command line: `gradcheck audit`, `gradcheck replay`, `gradcheck report`, `gradcheck list`, `gradcheck faults`.

Exit status: 0 all claims hold; 1 a claim is refuted or its rule failed; 2 something could not be used (an
option, a module, a rule's signature, an output file); 3 a claim is inconclusive or was not judged; 130
interrupted. Of several, 1 counts before 2, 2 before 3, 3 before 0.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from . import __version__
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
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, and one line for each rule.")]


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
    """  # noqa: D301
    with _usage_errors():
        paths = _outputs(html=html, json=json, md=md, junit=junit)
        _outputs(case=case)
        networks, expected, limits = _networks(network), _expected(expect), _limits(call_seconds, memory)
    session = Session(paths, case=case, quiet=quiet, verbose=verbose)
    claims = _claims(claim, session)
    with session.interruptible():
        wanted = [pair for target in targets for pair in session.resolve(target)]
        for name, rule in wanted:
            how = {"claims": claims, "networks": networks, "expected": expected, "effort": effort.value, "seed": seed}
            session.audit(name, rule, **how, isolated=not in_process, limits=limits)
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
        paths = _outputs(html=html, json=json, md=md, junit=junit)
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
        from .reference.errors import GradcheckError
        from .replaying import replay
        from .report.case import read
        from .targets import resolve

        data = read(case)
        rules = resolve(target)
        if len(rules) > 1:
            raise GradcheckError(f"{target} names {len(rules)} rules; name one: {', '.join(name for name, _ in rules)}")
        outcome = replay(data, rules[0][1])
    typer.echo(str(outcome))
    raise typer.Exit(outcome.exit_status)


@app.command("list")
def list_rules() -> None:
    """The shipped rules with their claims, and the claims that can be made."""
    from .report.listing import print_listing

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
    from .reference.errors import GradcheckError

    with _usage_errors():
        if json is not None and not matrix:
            raise GradcheckError("--json writes the matrix; add --matrix")
        paths = _outputs(json=json)
        from .faults import FAULTS, fault_named
        from .report import gallery

        chosen = (fault_named(fault),) if fault else FAULTS
    if matrix:
        _matrix(chosen, paths, quiet)
    elif fault:
        gallery.print_fault(console(), chosen[0])
    else:
        gallery.print_gallery(console())


def _matrix(chosen: Sequence[Any], paths: Sequence[Path], quiet: bool) -> None:
    """Print each fault's row as it comes, then the totals; what was found before an interrupt is kept."""
    from .faults.matrix import rows
    from .report import gallery
    from .report.progress import Progress

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
    from .reference.errors import GradcheckError

    try:
        yield
    except GradcheckError as error:
        complain(str(error))
        raise typer.Exit(2) from None


def _outputs(**asked: Path | None) -> list[Path]:
    """The files to write, each looked at before any work is done."""
    from .reference.errors import GradcheckError
    from .report.files import check_path

    suffixes = {"html": ".html", "json": ".json", "md": ".md", "junit": ".xml", "case": ".json"}
    paths = [path for path in asked.values() if path is not None]
    for option, path in asked.items():
        if path is None:
            continue
        if path.suffix.lower() != suffixes[option] and not path.is_dir():
            raise GradcheckError(f"--{option} writes a file that ends in {suffixes[option]}; got {str(path)!r}")
        check_path(path)
    return paths


def _limits(call_seconds: float, memory: float) -> Any:
    from .isolation import Limits
    from .reference.errors import GradcheckError

    for option, value in (("--call-seconds", call_seconds), ("--memory", memory)):
        if not 0 < value < float("inf"):
            raise GradcheckError(f"{option} is a number greater than 0; got {value:g}")
    return Limits(call_seconds, int(memory * 2**30))


def _claims(texts: Sequence[str] | None, session: Session) -> list[Any] | None:
    """The claims asked for; one that is none is complained of, and keeps no other from being judged."""
    from .reference.claims import parse_claim
    from .reference.errors import GradcheckError

    claims = []
    for text in texts or ():
        try:
            claims.append(parse_claim(text))
        except GradcheckError as error:
            session.reject(str(error))
    if texts and not claims:
        raise typer.Exit(2)
    return claims or None


def _expected(texts: Sequence[str] | None) -> dict[str, str] | None:
    from .reference.errors import GradcheckError

    expected = {}
    for text in texts or ():
        claim, _, reason = (part.strip() for part in text.partition("="))
        if not claim or not reason:
            raise GradcheckError(f'--expect reads CLAIM=WHY, such as "exact=truncated on purpose"; got {text!r}')
        expected[claim] = reason
    return expected or None


def _networks(texts: Sequence[str] | None) -> list[Any] | None:
    """Networks from text: tanh; relu,softmax; logistic,logistic,binary_cross_entropy; context:tanh; all."""
    from .reference.errors import GradcheckError
    from .reference.network import ALL_CONTEXT_NETWORKS, ALL_NETWORKS, ContextNetwork, Network

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
