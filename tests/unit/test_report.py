"""The renderings of a report: nothing lost, nothing unescaped, the same bytes each time."""

from __future__ import annotations

import dataclasses
import html.parser
import importlib.util
import io
import json
import math
import os
import pickle
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from gradcheck import records as verdicts
from gradcheck.records import (
    Chapter,
    CheckFailed,
    Collection,
    Counterexample,
    Evidence,
    Figure,
    Provenance,
    Report,
    Stage,
    Statement,
    Status,
    Strength,
    Verdict,
    reproducible,
)
from gradcheck.reference.errors import GradcheckError
from gradcheck.report import from_json, schema, to_html, to_json, to_junit, to_markdown, to_text, write
from gradcheck.report.figures import _beneath, draw
from gradcheck.report.html import statement_markup
from gradcheck.report.mathml import formula, inline
from gradcheck.report.text import print_record
from gradcheck.report.words import headline, one_line, statements_outcome, took, word
from gradcheck.store import provenance

SNIPPET = """import numpy as np

W, R, V = np.array([[1.0, -1.0]]), np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[1.0], [1.0]])  # T = 2, I = 2
x = np.array([[1.0], [0.0]])
assert bptt(W, R, V, x)["R"][0, 1] == 0.5, "the rule returns `a(t)` where a(t-1) < a(t) & \\"so on\\""
"""
DELTA = (
    r"\boldsymbol{\delta}(t)^\top = \left(\boldsymbol{e}^\top \operatorname{diag}(g') \boldsymbol{V}^\top"
    r" + \boldsymbol{\delta}(t+1)^\top \boldsymbol{R}^\top\right) \operatorname{diag}(f')"
)


def evidence(kind: str, strength: Strength, statement: str, **rest: object) -> Evidence:
    status = rest.pop("status", Status.HOLDS)
    return Evidence(kind, status, strength, statement, **rest)  # type: ignore[arg-type]


COUNTEREXAMPLE = Counterexample(
    problem={"network": "tanh, identity", "T": 2, "I": 2, "R": [["1", "2"], ["0", "1"]], "x": [["1/3"], ["0"]]},
    entry="R[0, 1]",
    expected="0.41997434161402606939",
    got="0.09966799462495581711",
    gap="0.32030634698907025",
    allowance="3.1e-16",
    certified="the enclosure at 128 bits excludes the value returned, by a margin 10^15 times the rounding allowance",
    snippet=SNIPPET,
)
FORMAL = evidence(
    "formal",
    Strength.PROVED,
    "the result equals the gradient of the unrolled loss, as an identity of polynomials in all parameters and inputs",
    scope="T = 5, I = 3, D = 2, K = 2; tanh, identity output, half squared error",
    blind="sizes above these; rounding",
    details={"monomials": 18234, "seconds": 0.07, "entries": {"W": 6, "R": 9, "V": 6}},
)
MODULAR = evidence(
    "modular",
    Strength.EXACT,
    "the result equals the gradient at 3 random points of a finite field",
    scope="T = 100, I = 64, D = 8, K = 4",
    blind="a difference that vanishes at all points, of chance below 2^-60",
    details={"primes": [8388593, 8388587, 8388581], "failure probability": 2.0**-63, "limit": math.inf},
)
LADDER = evidence(
    "ladder",
    Strength.NONE,
    "the error stops falling at 1e-9 between 50 and 100 digits; it may be rounding in a constant",
    status=Status.INCONCLUSIVE,
    scope="T = 20, I = 4",
)
BPTT = Report(
    rule="bptt",
    summary="Backpropagation through time: delta(t) = d(t) + delta(t+1) J(t+1).",
    networks=("fully recurrent, tanh, identity output, half squared error",),
    verdicts=(
        Verdict("exact", Status.HOLDS, Strength.PROVED, FORMAL.statement, (FORMAL, MODULAR)),
        Verdict(
            "pure",
            Status.HOLDS,
            Strength.SUPPORTED,
            "inputs untouched, no state left between calls",
            (evidence("purity", Strength.SUPPORTED, "24 calls, in two orders, gave the same bytes"),),
        ),
        Verdict(
            "cost(T*I*(I+K+D), T*(I+D))",
            Status.HOLDS,
            Strength.EXACT,
            "operations and storage are the polynomials claimed",
        ),
    ),
    stages=(
        Stage("purity", Status.HOLDS, "24 calls"),
        Stage("liveness", Status.HOLDS, "all 21 entries and 5 lags are alive"),
    ),
    notes=("A truncation beyond lag 17 would be invisible at float32 on these problems.",),
    seed=7,
)
EVIL = Report(
    rule='<script>alert("1")</script>',
    summary='Docstring with <b>tags</b>, "quotes" & an [bold red]ampersand[/]; | pipes | and \x1b[31mescapes.',
    networks=("tanh & <identity>",),
    verdicts=(
        Verdict(
            "exact",
            Status.REFUTED,
            Strength.NONE,
            "R[0, 1] differs: a(t) < a(t-1) & 'more' <img src=x>",
            (
                evidence(
                    "enclosure", Strength.NONE, "the ball excludes the value", status=Status.REFUTED, scope="T = 2"
                ),
                LADDER,
            ),
            COUNTEREXAMPLE,
            "the rule reads a(t) where the gradient needs a(t-1): the lag is off by one",
        ),
        Verdict(
            "truncated(3)", Status.INCONCLUSIVE, Strength.NONE, "no evidence settled it within its budget", (LADDER,)
        ),
        Verdict("online", Status.NOT_RUN, Strength.NONE, "not judged: the stage liveness failed"),
        Verdict("unbiased", Status.ERROR, Strength.NONE, "IndexError: index 3 is out of bounds for axis 0 with size 3"),
    ),
    stages=(Stage("purity", Status.HOLDS, "24 calls"), Stage("liveness", Status.REFUTED, "R[1, 1] is <dead>")),
    seed=7,
)
TBPTT = Report(
    "truncated_bptt_with_a_long_name",
    "Windowed truncation.",
    ("tanh",),
    (
        Verdict(
            "truncated(3)",
            Status.HOLDS,
            Strength.CERTIFIED,
            "the float result lies in the ball widened by its rounding",
            (
                evidence(
                    "enclosure",
                    Strength.CERTIFIED,
                    "every entry within its allowance",
                    scope="T = 50, I = 32",
                    blind="-",
                ),
            ),
        ),
        Verdict(
            "truncated(5)", Status.HOLDS, Strength.PROVED, "equals the gradient restricted to lags below 5", (FORMAL,)
        ),
    ),
)
ERRORS = Figure(
    "error",
    "Truncation error",
    "horizon tau",
    "relative error",
    {
        "spectral radius 0.5": ([float(t) for t in range(1, 21)], [0.5**t for t in range(1, 20)] + [0.0]),
        "spectral radius 0.9": ([float(t) for t in range(1, 21)], [0.9**t for t in range(1, 20)] + [0.0]),
        "bound <of> $theory$": ([float(t) for t in range(1, 21)], [1.3 * 0.9**t for t in range(1, 21)]),
    },
    "Errors fall geometrically and are exactly zero at `tau = T`; see $\\rho^{\\tau}$.",
    styles={"bound <of> $theory$": "dashed"},
)
LECTURE = Chapter(
    "lecture",
    "What the lecture prints",
    "Each formula was judged as printed.\n\nWhere it fails, what holds follows.",
    (
        Statement(
            "delta",
            "Backpropagation",
            "Recursion of the error signal",
            DELTA,
            Verdict("recursion", Status.HOLDS, Strength.PROVED, "an identity with delta(T+1) = 0", (FORMAL,)),
            comment="Holds with $\\boldsymbol{\\delta}(T+1) = \\boldsymbol{0}$.",
        ),
        Statement(
            "summary-R",
            "Backpropagation",
            "Gradient of R in the summary",
            r"\frac{\partial L}{\partial \boldsymbol{R}} = \sum_t \boldsymbol{\delta}(t)\, \boldsymbol{a}(t)^\top",
            Verdict(
                "as printed", Status.REFUTED, Strength.NONE, "wrong in either orientation, by 110 %", (), COUNTEREXAMPLE
            ),
            r"\frac{\partial L}{\partial \boldsymbol{R}} = \sum_t \boldsymbol{a}(t-1)\, \boldsymbol{\delta}(t)^\top",
            Verdict(
                "as corrected", Status.HOLDS, Strength.EXACT, "equal at three points of a finite field", (MODULAR,)
            ),
            "The index of a is one too high, and the product is transposed.",
        ),
        Statement(
            "cost",
            "Cost",
            "Cost of Schmidhuber's rule",
            "The complexity is that of BPTT",
            Verdict("cost", Status.REFUTED, Strength.NONE, "the counts grow like I^3 per step"),
        ),
    ),
    (ERRORS,),
    (
        (
            "Lags by rule",
            ("rule", "lag 0", "verdict"),
            (("bptt", "3.1e-16", "PROVED"), ("<i>x</i>", "a | b", "REFUTED")),
        ),
    ),
)
SAMPLE = Collection("Gradients of recurrent networks: what is proved", (BPTT, TBPTT, EVIL), (LECTURE,))
RENDERERS = {"json": to_json, "text": to_text, "markdown": to_markdown, "html": to_html, "junit": to_junit}


def verdicts_of(record: Report | Collection) -> list[Verdict]:
    if isinstance(record, Report):
        return list(record.verdicts)
    judged = [v for c in record.chapters for s in c.statements for v in (s.verdict, s.corrected_verdict) if v]
    return [v for r in record.reports for v in r.verdicts] + judged


class Page(html.parser.HTMLParser):
    """What a browser makes of a page: its tags, its attributes and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "link", "img", "wbr"):
            self.open.append(tag)
        if tag == "sup":  # as it is spoken
            self.words.append("^")

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return one_line("".join(self.words))


def readable(kind: str, text: str) -> str:
    """The text of a rendering as its reader sees it, on one line."""
    if kind == "json":
        return one_line(" ".join(re.findall(r'"(?:[^"\\]|\\.)*"', text))).replace('\\"', '"')
    if kind == "html":
        return Page(text).text
    if kind == "markdown":
        text = re.sub(r"\\(.)", r"\1", text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    if kind == "junit":
        text = " ".join(ET.fromstring(text.encode()).itertext())
    return one_line(text)


@pytest.mark.parametrize("kind", RENDERERS)
@pytest.mark.parametrize("record", [BPTT, EVIL, SAMPLE], ids=["report", "refuted", "collection"])
def test_every_statement_appears(kind: str, record: Report | Collection) -> None:
    text = readable(kind, RENDERERS[kind](record))
    judged = verdicts_of(record)
    if kind == "junit":  # a testcase is about what holds in the end
        dropped = [s.verdict for s in LECTURE.statements if s.corrected_verdict]
        judged = [v for v in judged if v not in dropped]
    for verdict in judged:
        assert one_line(verdict.statement) in text, f"{kind} lost {verdict.statement!r}"
        shown = verdict.word if kind == "json" else word(verdict)
        assert shown in text, f"{kind} lost the word {shown}"


@pytest.mark.parametrize("kind", RENDERERS)
def test_same_bytes(kind: str) -> None:
    assert RENDERERS[kind](SAMPLE) == RENDERERS[kind](SAMPLE)


@pytest.mark.processes
def test_same_bytes_in_another_process() -> None:
    code = (
        "import sys; sys.path[:0] = ['tests', 'tests/unit']; import test_report as t, hashlib; "
        "print(hashlib.sha256(t.to_html(t.SAMPLE).encode()).hexdigest())"
    )
    root = Path(__file__).parents[2]
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1, "the page depends on the order of hashes"


@pytest.mark.parametrize("record", [BPTT, EVIL, SAMPLE, Collection("empty", ()), Report("r", "", (), ())])
def test_json_round_trip(record: Report | Collection) -> None:
    assert from_json(to_json(record)) == record


def test_json_keeps_what_json_lacks() -> None:
    odd = evidence(
        "formal", Strength.PROVED, "s", details={"inf": math.inf, "list": (1, -math.inf), "none": None, "yes": True}
    )
    back = from_json(to_json(Report("r", "", (), (Verdict("c", Status.HOLDS, Strength.PROVED, "s", (odd,)),))))
    assert isinstance(back, Report)
    assert back.verdicts[0].evidence[0].details == {"inf": math.inf, "list": [1, -math.inf], "none": None, "yes": True}


def validator() -> object:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


@pytest.mark.parametrize("record", [BPTT, EVIL, SAMPLE])
def test_schema_accepts(record: Report | Collection) -> None:
    assert [e.message for e in validator().iter_errors(json.loads(to_json(record)))] == []  # type: ignore[attr-defined]


PLANTED = {
    "unknown status": lambda d: d["verdicts"][0].update(status="PASSED"),
    "unknown key": lambda d: d.update(extra=1),
    "unknown key in evidence": lambda d: d["verdicts"][0]["evidence"][0].update(extra=1),
    "missing statement": lambda d: d["verdicts"][0].pop("statement"),
    "seed as text": lambda d: d.update(seed="7"),
    "wrong kind": lambda d: d.update(kind="collection"),
    "major version": lambda d: d.update(schema_version="2.0"),
    "exit status": lambda d: d.update(exit_status=2),
}


@pytest.mark.parametrize("name", PLANTED)
def test_schema_rejects(name: str) -> None:
    data = json.loads(to_json(BPTT))
    PLANTED[name](data)
    assert not validator().is_valid(data), f"the schema lets pass: {name}"  # type: ignore[attr-defined]


def test_schema_knows_every_field() -> None:
    definitions = schema()["$defs"]
    assert isinstance(definitions, dict)
    for record in (Evidence, Counterexample, Verdict, Stage, Report, Statement, Figure, Chapter, Collection):
        known = set(definitions[record.__name__.lower()]["properties"])
        missing = {f.name for f in dataclasses.fields(record)} - known
        assert not missing, f"the schema lacks {missing} of {record.__name__}"
    for enum, name in ((verdicts.Status, "status"), (verdicts.Strength, "strength")):
        assert set(definitions[name]["enum"]) == set(enum.__members__)
    undescribed = [name for name, made in definitions.items() if not made.get("description")]
    assert not undescribed, f"a schema without descriptions is no documentation: {undescribed}"
    assert definitions["evidence"]["properties"]["blind"]["description"], "what the docstring says of a field is lost"


BROKEN = {
    "{": "not JSON",
    "[]": "Expected `object`",
    "{}": "missing required field `schema_version`",
    '{"schema_version": "2.0", "kind": "audit", "gradcheck_version": "9"}': "written by gradcheck 9",
    '{"schema_version": "1.0", "kind": "poem"}': "audit, collection; got 'poem'",
    '{"schema_version": "1.0", "kind": ["audit"]}': "at kind",
    '{"schema_version": "1.0", "kind": "audit"}': "missing required field `rule`",
    "[" * 100_000: "nested too deeply",
    '{"schema_version": NaN}': "not JSON",
    to_json(BPTT).replace('"PROVED"', '"SURE"'): r"at verdicts\[0\].strength: .*'SURE'",
    to_json(BPTT).replace('"seed": 7', '"seed": true'): "at seed: Expected `int`, got `bool`",
    to_json(BPTT).replace('"networks": [', '"networks": 3, "x": ['): "at networks: Expected `array`, got `int`",
}


@pytest.mark.parametrize(("text", "fragment"), BROKEN.items(), ids=BROKEN.values())
def test_json_errors(text: str, fragment: str) -> None:
    with pytest.raises(GradcheckError, match=fragment):
        from_json(text)


def test_html_escapes_and_asks_for_nothing() -> None:
    text = to_html(SAMPLE)
    page = Page(text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "b2", "i", "link", "iframe", "object"}, names
    assert page.open == [], f"never closed: {page.open}"
    assert '<script>alert("1")</script>' in page.text
    for tag, attributes in page.tags:
        for name in ("src", "href", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith("#"), f"<{tag} {name}={value!r}> leaves the page"
        assert not any(name.startswith("on") for name in attributes), tag
    assert "http" not in re.sub(r"http-equiv", "", text), "an address in the page"
    assert "url(" not in re.sub(r"url\(#", "", text)


def test_html_is_accessible() -> None:
    page = Page(to_html(SAMPLE))
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids)), "an id is given twice"
    wanted = [a.get("href", "#")[1:] for t, a in page.tags if t in ("a", "use")]  # type: ignore[index]
    wanted += [i for _, a in page.tags for i in (a.get("aria-labelledby") or "").split()]
    assert set(wanted) <= set(ids), f"nothing is called {set(wanted) - set(ids)}"
    assert ("html", {"lang": "en"}) in page.tags


def test_formulas_become_math() -> None:
    page = Page(to_html(SAMPLE))
    assert sum(tag == "math" for tag, _ in page.tags) == 5
    markup = formula(DELTA)
    assert "\U0001d739" in markup, "a bold delta, which MathML Core has only as a letter of its own"
    assert 'mathvariant="bold' not in markup
    assert "<script>" not in formula(r"\text{<script>}") and "&lt;script&gt;" in formula(r"\text{<script>}")
    assert formula(r"\frac{a <").startswith('<code class="latex">\\frac{a &lt;')
    assert inline("costs $5 and $6, `a<b`") == "costs $5 and $6, <code>a&lt;b</code>"


def test_junit_counts() -> None:
    root = ET.fromstring(to_junit(SAMPLE).encode())
    cases = {(c.get("classname"), c.get("name")): c for c in root.iter("testcase")}
    assert len(cases) == 3 + 2 + 4 + 3 == int(root.get("tests", ""))
    assert (root.get("failures"), root.get("errors"), root.get("skipped")) == ("2", "3", "0")
    kinds = {c.get("name"): c[0].get("type") for c in cases.values() if c[0].tag in ("failure", "error")}
    assert kinds == {
        "exact": "REFUTED",
        "truncated(3)": "INCONCLUSIVE",
        "online": "NOT RUN",
        "unbiased": "ERROR",
        "cost": "REFUTED",
    }
    assert "import numpy" in cases[EVIL.rule, "exact"][0].text  # type: ignore[operator]
    alone = ET.fromstring(to_junit(BPTT).encode())
    assert (alone.get("tests"), alone.get("failures"), alone.get("errors")) == ("3", "0", "0")
    assert ET.fromstring(to_junit(Report("r", "", (), ()))).get("errors") == "1", "nothing judged is not a pass"


def test_text_keeps_to_80_columns() -> None:
    long = dataclasses.replace(BPTT, rule="r" * 200, summary="word " * 60, notes=("n" * 300,))
    figure = dataclasses.replace(ERRORS, series={f"series {n} with a long name": ([1.0], [0.1]) for n in range(9)})
    chapter = dataclasses.replace(LECTURE, figures=(figure,), introduction="i" * 100)
    text = to_text(Collection("t" * 100, (long, EVIL), (chapter,)))
    snippets = set(SNIPPET.splitlines())
    wide = [line for line in text.splitlines() if len(line) > 80 and line not in snippets]
    assert wide == []
    assert SNIPPET.strip() in text, "the snippet can be copied as it stands"
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [60, 80, 160])
@pytest.mark.parametrize("colour", [False, True])
def test_terminal(width: int, colour: bool) -> None:
    rich_console = pytest.importorskip("rich.console")
    stream = io.StringIO()
    console = rich_console.Console(
        file=stream, width=width, force_terminal=colour, color_system="standard" if colour else None
    )
    print_record(EVIL, console)
    print_record(SAMPLE, console)
    print_record(SAMPLE, console, verbose=True)
    text = stream.getvalue()
    assert ("\x1b[" in text) is colour
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "\x1b" not in plain, "an escape of the user's reached the terminal"
    wide = [line for line in plain.splitlines() if len(line) > width and line not in SNIPPET.splitlines()]
    assert wide == []
    assert SNIPPET.splitlines()[2] in plain.splitlines()
    assert "[bold red]ampersand[/]" in one_line(plain)
    assert "\u2026" not in plain, "a cell was cut short"
    for verdict in EVIL.verdicts:
        assert verdict.word in plain


def test_markdown() -> None:
    text = to_markdown(SAMPLE)
    assert f"$$ {DELTA} $$" in text
    assert "```python\nimport numpy" in text and "<script>" not in text and "<img" not in re.sub("```.*?```", "", text)
    ticks = dataclasses.replace(COUNTEREXAMPLE, snippet="x = '```'")
    verdict = Verdict("exact", Status.REFUTED, Strength.NONE, "s", (), ticks)
    assert "````python\nx = '```'\n````" in to_markdown(Report("r", "", (), (verdict,)))


def test_figures() -> None:
    svg = draw(ERRORS)
    ET.fromstring(svg)
    assert ">0</text>" in svg, "zeros on a logarithmic axis have a mark of their own"
    assert "currentColor" in svg and "#000000" not in svg and "<metadata" not in svg
    assert "bound &lt;of&gt; $theory$" in svg
    for ys in ([0.0, 0.0], [-1.0, 2.0], [math.nan, math.inf], [], [1e-300, 1.0], [1.0, 1.0], [0.0, 5e-324]):
        ET.fromstring(draw(dataclasses.replace(ERRORS, series={"_a": ([1.0, 2.0][: len(ys)], ys)})))
    ET.fromstring(draw(dataclasses.replace(ERRORS, series={})))


@pytest.mark.parametrize("name", ["r.json", "r.md", "r.html", "r.xml", "R.JSON", "a.b.Html"])
def test_write(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("old")
    path.chmod(0o640)
    assert write(BPTT, str(path)) == path
    assert "inputs untouched, no state left" in path.read_text("utf-8")
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == [name], "a temporary file was left"


def test_write_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    write(BPTT, tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink() and from_json((tmp_path / "real.json").read_text("utf-8")) == BPTT


def test_write_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dir.html").mkdir()
    (tmp_path / "file").write_text("")
    wrong = {
        tmp_path / "r.pdf": "the suffix '.pdf' of .* use one of .json, .md, .html, .xml",
        tmp_path / "report": "has no suffix, names no format of report; use one of .json",
        tmp_path / "none such" / "r.md": r"none such' does not exist; create it first: mkdir -p '.*none such'",
        tmp_path / "dir.html": r"is a folder; name a file in it, such as '.*dir.html/report.html'",
        tmp_path / "file" / "r.md": "is a file and not a folder",
    }
    for path, message in wrong.items():
        with pytest.raises(GradcheckError, match=message):
            write(BPTT, path)
    kept = write(BPTT, tmp_path / "r.json")
    before = kept.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(GradcheckError, match=r"cannot write '.*r.json': No space left on device"):
        write(EVIL, kept)
    assert kept.read_bytes() == before and len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(GradcheckError, match="r.json' is not writable"):
        write(EVIL, kept)


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib", "latex2mathml"])
def test_missing_library_gives_the_install_line(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(GradcheckError, match=f"pip install {missing}"):
        to_html(SAMPLE)


@pytest.mark.processes
def test_import_is_quick() -> None:
    code = (
        "import sys, gradcheck.report as r, gradcheck.records as v; r.to_text(v.Report('r', '', (), ())); "
        "print([m for m in ('matplotlib', 'jinja2', 'latex2mathml') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True).stdout
        == "[]\n"
    )


def test_a_planted_fault_that_passed_is_a_warning_at_the_top_everywhere() -> None:
    said = "1 of 98 planted faults, each one missing lag on the same problems, passed for right"
    report = dataclasses.replace(BPTT, stages=(*BPTT.stages, Stage("discrimination", Status.INCONCLUSIVE, said)))
    shown = {
        kind: readable(kind, render(report)) for kind, render in RENDERERS.items() if kind not in ("json", "junit")
    }
    shown["brief"] = one_line(to_text(report, verbose=False))
    for kind, text in shown.items():
        before = text[: text.index(one_line(BPTT.verdicts[0].statement)[:40])]
        assert "warning" in before.lower() and said in before, f"{kind}: {before[-300:]}"


@pytest.mark.parametrize(("got", "words"), [("nan", "it is not a number"), ("inf", "it is infinite")])
def test_a_distance_that_is_no_number_is_said_in_words(got: str, words: str) -> None:
    example = dataclasses.replace(COUNTEREXAMPLE, got=got, gap="[+/- inf]")
    report = Report("r", "", (), (Verdict("exact", Status.REFUTED, Strength.CERTIFIED, "s", (), example),))
    for kind in ("html", "markdown", "text"):
        text = readable(kind, RENDERERS[kind](report))
        assert words in text and "[+/- inf]" not in text, f"{kind}: {text}"


def test_a_figure_stands_in_its_section() -> None:
    first, second, *_ = dict.fromkeys(s.section for s in LECTURE.statements if s.section)
    figures = tuple(
        dataclasses.replace(ERRORS, id=name, title=f"Figure of {name}", section=section)
        for name, section in (("one", first), ("none", "no such section"), ("two", second))
    )
    chapter = dataclasses.replace(LECTURE, figures=figures)
    for kind in ("html", "markdown", "text"):
        text = readable(kind, RENDERERS[kind](Collection("All", (), (chapter,))))
        text = text[text.index(statements_outcome(chapter.statements)) :]
        text = text[text.index(first) :]  # behind the list of what does not hold
        places = [text.index(f"Figure of {name}") for name in ("one", "two", "none")]
        assert places == sorted(places), f"{kind}: {places}"
        assert places[0] < text.index(second) < places[1], f"{kind}: a figure is not in its section"


def test_names_break_at_underscores_and_punctuation_stays_with_its_formula() -> None:
    page = to_html(SAMPLE)
    assert "truncated_<wbr>bptt_<wbr>with_<wbr>a_<wbr>long_<wbr>name</a></th>" in page
    assert inline("the transposes of $W$ and $R$, and").count('<span class="tie"><math') == 1


def test_powers_in_prose_are_raised() -> None:
    assert inline("4 T^2 + tau^3, 2^-60") == ("4\u00a0<var>T</var><sup>2</sup> + tau<sup>3</sup>, 2<sup>\u221260</sup>")
    assert inline("x^y and 3^2") == "x^y and 3^2"


# What a user does with a report


def test_check_returns_the_report_or_raises_with_it() -> None:
    assert BPTT.check() is BPTT
    with pytest.raises(CheckFailed) as caught:
        EVIL.check()
    assert isinstance(caught.value, AssertionError) and caught.value.report is EVIL
    text = str(caught.value)
    assert text.index("exact: REFUTED") < text.index("truncated(3): INCONCLUSIVE") < text.index("online: NOT RUN")
    assert SNIPPET.strip() in text and pickle.loads(pickle.dumps(caught.value)).report == EVIL


@pytest.mark.parametrize("record", [Report("r", "", (), ()), SAMPLE, Collection("c", (EVIL,))])
def test_check_of_what_does_not_pass_raises(record: Report | Collection) -> None:
    with pytest.raises(CheckFailed):
        record.check()


def test_repr_is_short() -> None:
    assert repr(BPTT) == "<Report on bptt: exact PROVED, pure SUPPORTED, cost(T*I*(I+K+D), T*(I+D)) EXACT>"
    assert repr(EVIL.verdicts[0]) == "<Verdict exact: REFUTED>"
    assert len(repr(SAMPLE)) < 120


def test_a_notebook_shows_a_table_and_the_evidence() -> None:
    page = Page(EVIL._repr_html_())
    assert {"script", "img"}.isdisjoint(tag for tag, _ in page.tags)
    assert not page.open and all(v.word in page.text for v in EVIL.verdicts)
    assert page.text.index("REFUTED") < page.text.index("INCONCLUSIVE")


ORIGIN = Provenance(
    "0.1.0", "3.11.4 (CPython)", "Linux", {"NumPy": "2.0"}, "gradcheck audit r", "abc123+", "2026-01-02"
)
TRACED = dataclasses.replace(
    BPTT, provenance=ORIGIN, seconds=75.5, verdicts=tuple(dataclasses.replace(v, seconds=1.25) for v in BPTT.verdicts)
)


@pytest.mark.parametrize("kind", RENDERERS)
@pytest.mark.parametrize("record", [TRACED, Collection("c", (TRACED,)), Collection("c", (BPTT,), provenance=ORIGIN)])
def test_every_format_tells_where_a_report_comes_from(kind: str, record: Report | Collection) -> None:
    text = RENDERERS[kind](record)
    for known in ("2026-01-02", "3.11.4 (CPython)", "gradcheck audit r", "abc123+", "Linux"):
        assert known in text, f"{kind} lost {known}"
    if kind in ("html", "junit"):
        assert "NumPy 2.0" in text
    assert from_json(to_json(record)) == record


def test_times_in_junit_are_those_that_were_measured() -> None:
    root = ET.fromstring(to_junit(TRACED))
    assert {case.get("time") for case in root.iter("testcase")} == {"1.250"}
    assert [suite.get("time") for suite in root.iter("testsuite")] == ["75.500"]


def test_durations_say_what_they_are_of_and_short_ones_are_left_out() -> None:
    page = Page(to_html(TRACED)).text
    assert "worker time 1.2 s" in page and "judged in 1 min 15 s" in page
    assert [took(seconds) for seconds in (0.0, 0.04, 0.1, 59.9, 60.0)] == ["", "", "0.1 s", "59.9 s", "1 min 0 s"]


def test_what_is_reproducible_has_no_dates_and_times() -> None:
    assert TRACED == BPTT, "dates and times are not compared"
    assert to_json(reproducible(TRACED)) == to_json(BPTT) != to_json(TRACED)
    whole = Collection("c", (TRACED,), (LECTURE,), 3.0, ORIGIN)
    assert to_json(reproducible(whole)) == to_json(Collection("c", (BPTT,), (LECTURE,)))


def test_provenance_is_collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    found = provenance.collect(command="c")
    assert (found.date, found.command, found.commit) == ("1970-01-01T00:00:00Z", "c", "")
    assert {"NumPy", "SymPy"} <= set(found.packages)
    if shutil.which("git") is None:
        pytest.skip("no git")

    def git(*arguments: str) -> str:
        who = ("-c", "user.name=n", "-c", "user.email=e@x")
        command = ["git", *who, "-C", str(tmp_path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    (tmp_path / "rules.py").write_text(
        "import functools\ndef rule(problem):\n    return {}\nbound = functools.partial(rule)\n"
        "class Rule:\n    def __call__(self, problem):\n        return {}\ninstance = Rule()\n"
    )
    spec = importlib.util.spec_from_file_location("rules", tmp_path / "rules.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert provenance.collect(module.rule).commit == ""
    git("init", "-q")
    git("add", "rules.py")
    git("commit", "-qm", "one")
    commit = git("rev-parse", "HEAD").strip()
    for target in (module.rule, module.bound, module.instance):
        assert provenance.collect(target).commit == commit, target
    (tmp_path / "rules.py").write_text("def rule(problem):\n    return {'W': 1}\n")
    assert provenance.collect(module.rule).commit == commit + "+"


def test_a_commit_is_not_looked_for_in_what_is_not_installed_from_a_file() -> None:
    assert provenance.collect(len).commit == "" and provenance.collect(3).commit == ""


# What a reader meets first


@pytest.mark.parametrize("kind", ["html", "markdown", "text"])
def test_what_is_refuted_stands_before_what_holds(kind: str) -> None:
    report = dataclasses.replace(EVIL, verdicts=(BPTT.verdicts[1], *EVIL.verdicts, BPTT.verdicts[0]))
    text = readable(kind, RENDERERS[kind](report))
    places = [text.index(one_line(v.statement)) for v in (*EVIL.verdicts[:1], BPTT.verdicts[0], BPTT.verdicts[1])]
    assert places == sorted(places), "refuted first, purity that holds last"


@pytest.mark.parametrize(
    ("report", "word"), [(BPTT, "PASSED"), (EVIL, "REFUTED"), (Report("r", "", (), ()), "NOT RUN")]
)
def test_an_audit_has_a_headline(report: Report, word: str) -> None:
    assert headline(report) == word
    page = to_html(report)
    assert word in page[page.index("headline") : page.index("</header>")]


def test_the_grade_of_arithmetic_without_rounding_is_not_taken_for_the_claim() -> None:
    for kind in ("html", "markdown", "text", "junit"):
        assert "EXACT" not in RENDERERS[kind](BPTT).replace("calls this strength EXACT", ""), kind
    assert json.loads(to_json(BPTT))["verdicts"][2]["word"] == "EXACT", "the public name stays"


# The page


def links(page: Page) -> tuple[set[str], set[str]]:
    targets = {a["href"][1:] for tag, a in page.tags if tag == "a" and a.get("href")}  # type: ignore[index]
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids)), "an id is given twice"
    return targets, set(ids)  # type: ignore[arg-type]


GALLERY = Chapter(
    "gallery", "Gallery", "", tables=(
        ("Caught", ("fault", "+"), (("a-fault", "+"), ("bptt", "-"))),
        ("What they do", ("fault", "effect"), (("a-fault", "e"),)),
    ),
)  # fmt: skip


@pytest.mark.parametrize("record", [BPTT, EVIL, SAMPLE, Collection("c", (BPTT,), (GALLERY, LECTURE))])
def test_links_lead_somewhere_and_cells_to_their_evidence(record: Report | Collection) -> None:
    page = Page(to_html(record))
    targets, ids = links(page)
    assert targets <= ids and {"top", "words"} <= targets
    if record is SAMPLE:
        assert {"rule-bptt-exact-formal", "rule-bptt-pure-purity"} <= targets
    if record not in (BPTT, EVIL, SAMPLE):
        assert {"chapter-gallery-a-fault", "rule-bptt"} <= targets, "rows lead to their fault and to their rule"


def test_landmarks_have_names_of_their_own_and_headers_have_text() -> None:
    page = Page(to_html(Collection("c", (BPTT, EVIL), (GALLERY, LECTURE))))
    landmarks = [a for tag, a in page.tags if tag in ("nav", "aside", "form") or a.get("role") == "region"]
    landmarks += [a for tag, a in page.tags if tag == "section" and ("aria-label" in a or "aria-labelledby" in a)]
    named = [a.get("aria-labelledby") or a.get("aria-label") for a in landmarks]
    assert None not in named and len(named) == len(set(named)), named
    assert '<th scope="col"></th>' not in to_html(SAMPLE)


def test_details_are_folded_and_what_is_refuted_is_open() -> None:
    folded = [a for tag, a in Page(to_html(SAMPLE)).tags if tag == "details"]
    assert folded and not any("open" in a for a in folded)
    assert any("open" in a for tag, a in Page(to_html(EVIL)).tags if tag == "details")


def test_series_that_coincide_are_both_seen() -> None:
    twice = {"below": ([1.0, 2.0], [1.0, 4.0]), "above": ([1.0, 2.0], [1.0, 4.1]), "far": ([1.0, 2.0], [9.0, 90.0])}
    figure = dataclasses.replace(ERRORS, series=twice, styles={})
    assert _beneath(figure) == [1, 0, 0] and _beneath(ERRORS) == [0, 0, 0]
    widths = re.findall(r"stroke-width: ([\d.]+)", draw(figure))
    assert "4" in widths, "the series beneath is drawn wider"


def test_a_drawing_is_slim_and_its_labels_are_whole() -> None:
    series = {"radius 0.9512": ([0.25, 0.5, 0.75], [0.12345, 0.2, 0.3]), "b": ([0.25], [0.2])}
    svg = draw(dataclasses.replace(ERRORS, series=series, styles={}, log_y=False, xlabel="step 0.125"))
    assert "radius 0.9512" in svg and "step 0.125" in svg
    assert not re.search(r"<[^>]*\d\.\d\d", svg), "coordinates are finer than can be seen"
    ids = re.findall(r' id="([^"]*)"', svg)
    assert ids and all(f"#{name}" in svg for name in ids), "an id that nothing uses"
    assert len(svg) < 12_000


# Formulas


TYPESET = [
    (r"complexity is $\mathcal{O}(T I^2)$ per step", "complexity is 𝒪(TI2) per step", 1),
    ("$T/I$ such blocks, hence $T I$: by a factor of $I$ less", "T/I such blocks, hence TI: by a factor of I less", 3),
    (r"\frac{\partial L}{\partial r_{ij}} = 0", "∂L∂rij=0", 1),
    ("Training is not guaranteed to converge", "Training is not guaranteed to converge", 0),
]  # fmt: skip


@pytest.mark.parametrize(("printed", "read", "formulas"), TYPESET)
def test_sentences_with_formulas_read_as_printed(printed: str, read: str, formulas: int) -> None:
    page = Page(statement_markup(printed))
    assert page.text == read and sum(tag == "math" for tag, _ in page.tags) == formulas
    shown = to_markdown(
        Collection("c", (), (Chapter("c", "C", "", (dataclasses.replace(LECTURE.statements[0], printed=printed),)),))
    )
    wanted = f"> {printed}" if formulas != 1 or "complexity" in printed else f"$$ {printed} $$"
    assert wanted in shown and r"\$" not in shown


def test_notation_of_python_is_printed_as_in_a_book() -> None:
    assert inline("O(T*(I - 3)); I**3") == ("O(<var>T</var> (<var>I</var> \u2212\u00a03)); <var>I</var><sup>3</sup>")
    assert inline("R^T, T's - and") == "R^T, T's - and"
    assert inline("`T*I**2`") == "<code>T*I**2</code>"
    polynomial = "V[0,0]^2*initial_state[0]*tanh(inputs[0,0]*W[0,0] + R[0,0]*initial_state[0])^3"
    assert inline(f"off by `{polynomial}`") == f'off by <code class="long">{polynomial.replace("*", "*<wbr>")}</code>'
    assert inline("2 * 3 and *emphasis*") == "2 * 3 and *emphasis*"


@pytest.mark.parametrize("record", [BPTT, EVIL, SAMPLE, Collection("c", (EVIL,), (GALLERY, LECTURE))])
def test_headings_skip_no_level(record: Report | Collection) -> None:
    levels = [int(tag[1]) for tag, _ in Page(to_html(record)).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in zip(levels, levels[1:], strict=False)), levels
