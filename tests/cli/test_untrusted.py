"""Files that are not trusted, mutated: every one is read, or refused by a message of ours, and none runs code.

`pytest --hypothesis-profile explore` tries at least 10,000 of each; see SECURITY.md.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import plain_rules
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcheck
from gradcheck.algorithms import Focused, bptt, truncated_bptt
from gradcheck.evidence.cost.base import bounds
from gradcheck.explain.replay import check_settings, compared
from gradcheck.records import Chapter, Collection, Counterexample, Evidence, Report, Status, Strength, Verdict
from gradcheck.reference.circuit import LagCircuit
from gradcheck.reference.claims import parse_claim
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import ALL_CONTEXT_NETWORKS, ALL_NETWORKS, ContextNetwork, Network
from gradcheck.reference.networks.base import Sizes
from gradcheck.report import from_json, to_json
from gradcheck.rules.adapt import as_rule
from gradcheck.store import cache, case, problems
from gradcheck.store.data import claim_as_data, network_as_data
from gradcheck.store.ledger import Ledger

TRIED = settings.default.max_examples if settings.default.max_examples <= 100 else 5 * settings.default.max_examples
many = settings(max_examples=TRIED)
OURS = GradcheckError

# What reading must not do

FORBIDDEN = ("import", "exec", "subprocess.", "os.", "socket.", "ctypes.", "pickle.", "marshal.", "shutil.")
HARMLESS = {"os.listdir", "os.scandir"}
_seen: list[str] | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is None:
        return
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        _seen.append(f"open({arguments[0]!r}, {arguments[1]!r})")
    elif event.startswith(FORBIDDEN) and event not in HARMLESS:
        _seen.append(f"{event}{arguments!r:.100}")


sys.addaudithook(_hook)


@contextmanager
def watched(written: Path | None = None) -> Iterator[None]:
    """A context in which importing, running or writing is a failure, but for one file, and so is a new module."""
    global _seen
    before, _seen = set(sys.modules), []
    try:
        yield
    finally:
        seen, _seen = _seen, None
    seen = [each for each in seen if written is None or not each.startswith((f"open({str(written)!r}", "os.truncate"))]
    assert not seen, f"reading a file did more than read it: {seen[:5]}"
    assert set(sys.modules) == before, f"reading a file imported {set(sys.modules) - before}"


@pytest.mark.parametrize(
    "does", [lambda: __import__("this"), lambda: eval("1"), lambda: open("/dev/null", "w").close()]
)
def test_the_watch_sees_planted_misdeeds(does: Callable[[], Any], capsys: pytest.CaptureFixture[str]) -> None:
    sys.modules.pop("this", None)
    with pytest.raises(AssertionError, match="did more than read it"), watched():
        does()


# Mutations

ODD = [
    None, True, False, 0, -1, 1, 3, 400_000, 2**31 + 1, 2**63, 2**64, 10**30, -(10**400), 0.5, -0.0, 1e308,
    float("nan"), float("inf"), "", "0", "1", "-1.5", "1e999", "-1e-999", "0x1p-3", "0x1p99999", "0xg", "nan",
    "inf", "-inf", "1_0", "١", "\x00", "\x1b[2J", "\u2028", "\udc80", "ä" * 2000, "exact", "equals", "own",
    "Network", "case", "audit", "tau", "1.0", "1.99", "2.0", "os:system", "subprocess:Popen", "antigravity:fly",
    "this:d", "gradcheck.algorithms.bptt:bptt", "__main__:__builtins__.exec",
    "Popen(['touch', '/tmp/gradcheck-was-here'])", "R[0,0]", "R[9,9]", "W", [], [[]], {}, {"kind": "exact"},
    {"kind": {}}, {"$float": "nan"}, {"$float": "0"}, {"$float": []}, ["1"], [["1"]], [["1", "2"], ["1"]], {"kind":
    "own", "class": "os:system", "made": "system('true')", "repr": "system"}, {"kind": "equals", "target":
    "antigravity:fly"}, [[[[[[[[[["1"]]]]]]]]]],
]  # fmt: skip


def places(data: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, as a path."""
    yield at
    if len(at) > 12:
        return
    if isinstance(data, dict):
        for key in data:
            yield from places(data[key], (*at, key))
    elif isinstance(data, list):
        for number, each in enumerate(data[:4]):
            yield from places(each, (*at, number))


def value_at(data: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        data = data[step]
    return data


def nested(depth: int) -> Any:
    data: Any = "1"
    for _ in range(depth):
        data = [data]
    return data


@st.composite
def mutated(draw: st.DrawFn, documents: list[Any]) -> Any:
    """One of the documents with up to three changes."""
    data = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        paths = list(places(data))
        path = draw(st.sampled_from(paths))
        if not path:
            data = copy.deepcopy(draw(st.sampled_from(ODD))) if draw(st.integers(0, 9)) == 0 else data
            continue
        parent, key = value_at(data, path[:-1]), path[-1]
        change = draw(st.sampled_from(["odd", "odd", "odd", "remove", "more", "rename", "copy", "wrap", "deep"]))
        if change == "odd":
            parent[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
        elif change == "remove":
            del parent[key]
        elif change == "more" and isinstance(parent, dict):
            name = draw(st.sampled_from(["more", "kind", "made", "class", "tau", "", "\x1b", "initial_state[0]"]))
            parent[name] = copy.deepcopy(draw(st.sampled_from(ODD)))
        elif change == "rename" and isinstance(parent, dict):
            parent[draw(st.sampled_from(["other", "R", "tau", "\udc80"]))] = parent.pop(key)
        elif change == "copy":
            parent[key] = copy.deepcopy(value_at(data, draw(st.sampled_from(paths[1:]))))
            if len(json.dumps(data)) > 100_000:
                parent[key] = None
        elif change == "wrap":
            parent[key] = [parent[key]]
        elif change == "deep":
            parent[key] = nested(draw(st.sampled_from([5, 50])))
            break
    return data


def text_of(data: Any) -> bytes:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200_000)
    try:
        return json.dumps(data).encode()
    finally:
        sys.setrecursionlimit(limit)


@st.composite
def content(draw: st.DrawFn, documents: list[Any]) -> bytes:
    """A mutated document as bytes, which may be damaged too."""
    data = draw(mutated(documents))
    try:
        whole = text_of(data)
    except (ValueError, RecursionError):
        whole = b"{}"
    damage = draw(st.sampled_from(["none"] * 6 + ["cut", "flip", "insert", "twice", "mark", "wide", "brackets"]))
    at = draw(st.integers(0, max(0, len(whole) - 1)))
    if damage == "cut":
        return whole[:at]
    if damage == "flip":
        return whole[:at] + bytes([draw(st.integers(0, 255))]) + whole[at + 1 :]
    if damage == "insert":
        return (
            whole[:at]
            + draw(st.sampled_from([b"\x00", b"\xff", b"\\ud800", b"1e999", b"-", b'"kind":1,', b"//"]))
            + whole[at:]
        )
    if damage == "twice":
        return whole.replace(b"{", b'{"kind": "own", "T": 9, ', 1)
    if damage == "mark":
        return b"\xef\xbb\xbf" + whole
    if damage == "wide":
        return whole.decode().encode("utf-16")
    if damage == "brackets":
        return whole[:at] + draw(st.sampled_from([b"[", b'{"a":'])) * 50_000 + whole[at:]
    return whole


# Cases


class Own(Network):
    """A network that the rule at hand declares."""

    def __repr__(self) -> str:
        return "Own()"


def example(claim: Any, network: Any, sizes: Sizes, **chosen: int) -> dict[str, Any]:
    """A case that a rule is right or wrong on, as data."""
    draw = np.random.default_rng(0)
    problem = {name: draw.integers(-2, 3, s) / 2 for name, s in network.parameter_shapes(sizes).items()}
    arrays = {
        **problem, "inputs": draw.integers(-2, 3, (sizes.T, sizes.D)) / 2, "loss_weights": np.ones(sizes.T),
        "targets": np.eye(sizes.K)[np.zeros(sizes.T, int)], "initial_state": np.ones(sizes.I),
    }  # fmt: skip
    found = Counterexample(
        {
            "sizes": dataclasses.asdict(sizes), "settings": chosen,
            "arrays": {name: json.loads(json.dumps(a.tolist()), parse_float=str) for name, a in arrays.items()},
        },
        "W[0,0]", "1", "2", "1", "1e-16", "it is not", "print(1)", "1",
        {
            "rule": "mine:rule", "claim": claim_as_data(claim), "network": network_as_data(network), "weighted": False,
        },
    )  # fmt: skip
    return json.loads(found.to_json())  # type: ignore[no-any-return]


def own_target(problem: Any) -> Any:
    return bptt(problem)


CASES = [
    example(gradcheck.Exact(), Network(), Sizes(1, 1, 1, 1)),
    example(gradcheck.Truncated(1), Network("logistic", "logistic"), Sizes(2, 2, 1, 1), tau=1),
    example(gradcheck.Windowed(2, 1), ContextNetwork("softplus"), Sizes(2, 1, 2, 1)),
    example(gradcheck.Equals(bptt), Network("relu", "softmax", "categorical_cross_entropy"), Sizes(1, 2, 1, 2)),
    example(gradcheck.Equals(own_target), Own(), Sizes(2, 1, 1, 1)),
]


@gradcheck.rule(gradcheck.Exact(), gradcheck.Equals(own_target), networks=[Network(), Own()])
def fixed(problem: Any) -> Any:
    return own_target(problem)


RULES = [as_rule(fixed), as_rule(truncated_bptt), as_rule(plain_rules.wrong), as_rule(Focused)]


def replayed(source: Any, number: int) -> str:
    """The way a case goes: what became of it, or that it was refused."""
    rule = RULES[number]
    document = case.read(source)
    claim, problem = document.claim_and_problem(rule)
    check_settings(rule, problem, document.settings)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shown = compared(rule, claim, problem, document.settings, (document.entry, document.got))
    assert all(line.isprintable() for line in str(shown).split("\n"))
    return shown.outcome.name


def outcome(run: Callable[[], Any], written: Path | None = None) -> Any:
    """What comes of it, watched: a value, or REFUSED with a message that a terminal can show."""
    with watched(written):
        try:
            return run()
        except OURS as error:
            message = str(error)
    assert len(message) < 3000 and message.isprintable() and "Traceback" not in message, message
    return "REFUSED"


def parsed(text: str) -> str:
    claim = parse_claim(text)
    if isinstance(claim, gradcheck.Cost):
        bounds(claim, ())
    return claim.kind


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is imported or compiled on first use, whatever a file says, is so before anything is watched."""
    for number, data in enumerate(CASES * len(RULES)):
        with contextlib.suppress(OURS):
            replayed(data, number // len(CASES))
    path = tmp_path_factory.getbasetemp() / "warm.json"
    for document in (*CASES, *PROBLEMS):
        path.write_text(json.dumps(document))
        with contextlib.suppress(OURS):
            problems.read(path).problems([Network(), Own()])
    for record in RECORDS:
        from_json(json.dumps(record))
    for _ in range(2):
        with Ledger(tmp_path_factory.getbasetemp() / "warm.jsonl", HEAD) as ledger:
            ledger.add("a", {})
    for text in ("exact", "cost(time=T*I)", "no"):
        with contextlib.suppress(OURS):
            parsed(text)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_the_cases_that_are_mutated_are_cases(number: int) -> None:
    outcomes = {outcome(lambda n=n: replayed(CASES[number], n)) for n in range(len(RULES))}
    assert outcomes & {"FIXED", "STILL_WRONG"}, outcomes


@many
@given(content(CASES), st.integers(0, len(RULES) - 1))
def test_mutated_cases(tmp_path_factory: pytest.TempPathFactory, written: bytes, number: int) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.json"
    path.write_bytes(written)
    hypothesis.event(str(outcome(lambda: replayed(path, number))))


@many
@given(mutated(CASES), st.integers(0, len(RULES) - 1))
def test_mutated_cases_handed_over_as_data(data: Any, number: int) -> None:
    if isinstance(data, dict):
        hypothesis.event(str(outcome(lambda: replayed(data, number))))


NUMBERS = st.floats(allow_nan=False, allow_infinity=False).flatmap(lambda x: st.sampled_from([repr(x), x.hex()]))
NAMES = {
    "activation": ["tanh", "identity", "logistic", "relu", "softplus"],
    "output": ["identity", "tanh", "logistic", "softmax"],
    "loss": ["squared_error", "binary_cross_entropy", "categorical_cross_entropy"],
}


@st.composite
def odd_but_valid(draw: st.DrawFn) -> dict[str, Any]:
    """A case that its schema accepts, with any finite numbers and any combination of names."""
    sizes = Sizes(*(draw(st.integers(1, 3)) for _ in range(4)))
    known: Any = draw(st.sampled_from(ALL_NETWORKS + ALL_CONTEXT_NETWORKS))
    shapes = {
        **known.parameter_shapes(sizes), "inputs": (sizes.T, sizes.D), "targets": (sizes.T, sizes.K),
        "initial_state": (sizes.I,), "loss_weights": (sizes.T,),
    }  # fmt: skip

    def array(shape: tuple[int, ...]) -> Any:
        return draw(NUMBERS) if not shape else [array(shape[1:]) for _ in range(shape[0])]

    length = st.integers(1, 10_000)
    claim = draw(
        st.one_of(
            st.just({"kind": "exact"}),
            st.builds(lambda n: {"kind": "truncated", "tau": n}, length),
            st.builds(lambda n: {"kind": "chunked", "length": n}, length),
            st.builds(lambda n, m: {"kind": "windowed", "horizon": n, "stride": m}, length, length),
            st.sampled_from(
                [
                    {"kind": "equals", "target": t}
                    for t in ("gradcheck.algorithms.bptt:bptt", "gradcheck.algorithms.rtrl:RTRL", "x:y")
                ]
            ),
        )
    )
    network = network_as_data(known)
    if draw(st.integers(0, 9)) == 0:
        network |= {part: draw(st.sampled_from(names)) for part, names in NAMES.items()}
    text = st.sampled_from(["mine:rule", "0.5", "", "π", "a" * 300] * 6 + ["\x1b[2J", "\n", "\u2028"])
    return {
        **CASES[0], "claim": claim, "network": network, "sizes": dataclasses.asdict(sizes),
        "arrays": {name: array(shape) for name, shape in shapes.items()}, "weighted": draw(st.booleans()),
        "settings": draw(st.sampled_from([{}] * 9 + [{"tau": 1}, {"problem": 1}, {"x": -1}, {"": 0}, {"self": 2}])),
        "entry": draw(st.sampled_from(["W[0,0]"] * 15 + ["V[0,0]", "W", "W[0]", "W[-1,0]", "W[0, 0]"])),
        **{name: draw(text) for name in ("rule", "got", "gap", "expected", "exact", "allowance", "certified")},
    }  # fmt: skip


@many
@given(odd_but_valid(), st.integers(0, len(RULES) - 1))
def test_valid_oddities(data: dict[str, Any], number: int) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(case.schema())
    assert validator.is_valid(data)
    hypothesis.event(str(outcome(lambda: replayed(data, number))))


# Problems

PROBLEMS = [
    {
        **{name: CASES[0][name] for name in ("schema_version", "gradcheck_version")}, "kind": "problems",
        "problems": [{name: each[name] for name in ("network", "sizes", "arrays")} for each in CASES[:number]],
    }
    for number in (1, 3)
]  # fmt: skip


@many
@given(content([*PROBLEMS, *CASES]))
def test_mutated_problems(tmp_path_factory: pytest.TempPathFactory, written: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "problems.json"
    path.write_bytes(written)
    hypothesis.event(str(outcome(lambda: len(problems.read(path).problems([Network(), Own()])))))


@pytest.mark.parametrize("document", [*PROBLEMS, CASES[0]], ids=["one", "three", "a case"])
def test_the_problems_that_are_mutated_are_problems(document: Any, tmp_path: Path) -> None:
    (tmp_path / "problems.json").write_text(json.dumps(document))
    assert problems.read(tmp_path / "problems.json").problems([])


# Results


LINES = [
    {"key": '["bptt", "exact", 0, "formal", "T=1"]', "value": {"part": {"shown": {"at": "T=1"}, "seconds": 0.1}}},
    {
        "key": "b",
        "value": {"ended": {"evidence": {"kind": "formal", "status": "HOLDS"}, "witness": None}, "seconds": 1},
    },
]
HEAD = {"rules": [{"name": "bptt", "files": {"mine.py": "12ab"}}], "seed": 0}


@many
@given(st.lists(content(LINES), min_size=1, max_size=3), st.booleans())
def test_mutated_results(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], first: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.jsonl"
    path.unlink(missing_ok=True)
    with Ledger(path, HEAD) as ledger:
        ledger.add("a", {})
    head = path.read_bytes()
    path.write_bytes(b"\n".join([*([] if first else [head.rstrip(b"\n")]), *lines]) + b"\n")

    def opened() -> str:
        with Ledger(path, HEAD) as ledger:
            return f"READ {ledger.resumed}"

    hypothesis.event(outcome(opened, written=path))


# Reports

RECORDS = [
    json.loads(to_json(record))
    for record in (
        Report(
            "mine", "summary", ("tanh",),
            (
                Verdict(
                    "exact", Status.REFUTED, Strength.NONE, "no",
                    (Evidence("formal", Status.HOLDS, Strength.PROVED, "s", details={"a": [1, float("inf")]}),),
                    Counterexample({}, "W[0,0]", "1", "2", "1", "0", "c", "s"),
                ),
            ),
        ),
        Collection("all", (), (Chapter("a", "b", "c"),)),
    )
]  # fmt: skip


@many
@given(content(RECORDS))
def test_mutated_reports(written: bytes) -> None:
    found = outcome(lambda: from_json(written.decode("utf-8", "surrogateescape")))
    if found != "REFUSED":
        again = from_json(to_json(found))
        assert json.loads(to_json(again)) == json.loads(to_json(found))
        str(found), found.passed, found.exit_status


# The cache

KEPT = {"key": "k", "data": {"gates": [["one"], ["symbol", "W[0,0]"], ["mul", 0, 1]], "lags": [{"W": [0, 1, 2]}]}}


@many
@given(content([KEPT]), st.booleans())
def test_mutated_caches(tmp_path_factory: pytest.TempPathFactory, written: bytes, digested: bool) -> None:
    folder = cache.Folder(tmp_path_factory.getbasetemp())
    head = cache._digest(written) + b"\n" if digested else b""
    folder._file("k").write_bytes(head + written)

    def read() -> str:
        data = folder.get("k")
        LagCircuit.from_plain(data)
        return "READ"

    hypothesis.event(outcome(read))


# Names


@many
@given(
    st.one_of(
        st.text(max_size=40),
        st.text("exacttruncated(3,) costime=storage*TIDK+-/^0123456789.", max_size=40),
        st.builds("cost(time={})".format, st.text("TIDK*+-/()0123456789 .,abc[]{}:'\"_", max_size=30)),
    )
)
def test_claims_of_the_command_line(text: str) -> None:
    hypothesis.event(outcome(lambda: parsed(text)))


@pytest.mark.parametrize("seconds", ["nan", "inf", "-inf"])
def test_a_report_whose_time_is_no_time_is_printed(seconds: str) -> None:
    data = RECORDS[0] | {"seconds": {"$float": seconds}}
    assert str(from_json(json.dumps(data)))
