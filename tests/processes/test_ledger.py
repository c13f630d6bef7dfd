"""The file that keeps what units find: what it refuses, and that it loses and repeats nothing."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gradcheck.algorithms import bptt
from gradcheck.engine.isolation.parent import DEFAULT_LIMITS
from gradcheck.engine.units import Asked, Unit
from gradcheck.reference.claims import Equals, Exact
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.networks.base import DEFAULT_NETWORK, Network
from gradcheck.store.fingerprint import digest, fingerprint
from gradcheck.store.ledger import Ledger

ASKED = Asked("bptt", "bptt", effort="quick", networks=(DEFAULT_NETWORK,))
UNIT = Unit("bptt", "exact", 0, "formal", "T=1")


def filled(path: Path, *sizes: str) -> bytes:
    with Ledger([ASKED], path) as ledger:
        for size in sizes:
            ledger.add(Unit("bptt", "exact", 0, "formal", size), {"part": {"shown": {"at": size}, "seconds": 0.1}})
    return path.read_bytes()


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    filled(path, "T=1", "T=2")
    with Ledger([ASKED], path) as ledger:
        assert ledger.resumed == 2
        assert ledger.get(UNIT) == {"part": {"shown": {"at": "T=1"}, "seconds": 0.1}}
        assert ledger.get(Unit("bptt", "exact", 1, "formal", "T=1")) is None, "another network's unit was taken for it"


def test_each_unit_is_on_disk_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    with Ledger([ASKED], path) as ledger:
        for number in range(1, 4):
            ledger.add(Unit("bptt", size=str(number)), {"course": {}})
            assert len(path.read_bytes().splitlines()) == 1 + number


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_an_unfinished_line_is_taken_away(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    whole = filled(path, "T=1", "T=2")
    path.write_bytes(whole[:-cut])
    with Ledger([ASKED], path) as ledger:
        assert ledger.resumed == 1
    assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:2])


def test_an_unfinished_first_line_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    whole = filled(path)
    path.write_bytes(whole[:9])
    filled(path)
    assert path.read_bytes() == whole


OTHERS: list[tuple[dict[str, Any], str]] = [
    ({"name": "RTRL", "target": "RTRL"}, "an audit of bptt, this is one of RTRL"),
    ({"effort": "full"}, "with other effort .'quick', now 'full'"),
    ({"seed": 3}, "with other seed .0, now 3"),
    ({"claims": (Exact(), Exact())}, "with other claims"),
    ({"networks": (Network("logistic"),)}, "with other networks"),
    ({"weighted": False}, "with other weighted"),
]


@pytest.mark.parametrize(("how", "said"), OTHERS, ids=lambda value: value if isinstance(value, str) else "")
def test_results_of_another_run_are_refused_and_kept(how: dict[str, Any], said: str, tmp_path: Path) -> None:
    import dataclasses

    path = tmp_path / "found.jsonl"
    before = filled(path, "T=1")
    with pytest.raises(GradcheckError, match=said), Ledger([dataclasses.replace(ASKED, **how)], path):
        pass
    assert path.read_bytes() == before


def test_more_rules_than_before_are_another_run(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    filled(path)
    with pytest.raises(GradcheckError, match="an audit of bptt, this is one of bptt, RTRL"):
        Ledger([ASKED, Asked("RTRL", "RTRL")], path)


FOREIGN = {
    "an unfinished line": b"hello",
    "lines, the last unfinished": b"hello\nhello",
    "text": b"hello\n",
    "a list": b"[1]\n",
    "a report": b'{"schema": 1}\n',
    "binary": b"\x00\xff\xfe\n",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_file_of_something_else_is_refused_and_kept(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    path.write_bytes(content)
    with pytest.raises(GradcheckError, match="line 1 of .*found.jsonl is no result of a run; name another file"):
        Ledger([ASKED], path)
    assert path.read_bytes() == content


def test_a_line_in_the_middle_that_is_none_is_said_to_be_so(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    path.write_bytes(filled(path, "T=1") + b'{"unit": {"of": 1}}\n' + b"{}\n")
    with pytest.raises(GradcheckError, match="line 3"):
        Ledger([ASKED], path)


PIECE = {"rule": "bptt", "claim": "exact", "network": 0, "kind": "formal", "size": "T=1"}
PART = {"part": {"shown": {}, "seconds": 0.1}}
BROKEN: dict[str, Any] = {
    "a unit of no rule": {"unit": {**PIECE, "rule": [1]}, "found": PART},
    "a network that is no number": {"unit": {**PIECE, "network": "0"}, "found": PART},
    "nothing found": {"unit": PIECE, "found": {}},
    "two things found": {"unit": PIECE, "found": {**PART, "failed": "no"}},
    "a part of nothing": {"unit": PIECE, "found": {"part": {}}},
    "a part of no time": {"unit": PIECE, "found": {"part": {"shown": {}}}},
    "a part of no number of seconds": {"unit": PIECE, "found": {"part": {"shown": {}, "seconds": "a"}}},
    "an end without evidence": {"unit": PIECE, "found": {"part": {"ended": {}, "seconds": 0.1}}},
    "a course of nothing": {"unit": PIECE, "found": {"course": {}}},
    "a course of something else": {"unit": PIECE, "found": {"course": {"verdicts": [1]}}},
    "a list": [[]],
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_a_line_that_no_unit_wrote_is_said_to_be_none(line: Any, tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    content = filled(path, "T=1") + json.dumps(line).encode() + b"\n"
    path.write_bytes(content)
    with pytest.raises(GradcheckError, match="line 3 of .*found.jsonl is no result of a run"):
        Ledger([ASKED], path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("asked", [None, {}, {"rules": None}, {"rules": [1]}, {"rules": [{}]}], ids=repr)
def test_a_first_line_that_asks_for_nothing_is_said_to_be_none(asked: Any, tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    first = json.loads(filled(path))
    path.write_text(json.dumps(first | {"asked": asked}) + "\n", "utf-8")
    with pytest.raises(GradcheckError, match="line 1 of .*found.jsonl is no result of a run"):
        Ledger([ASKED], path)


def test_brackets_without_end_are_no_result(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    path.write_bytes(filled(path) + b"[" * 100_000 + b"\n")
    with pytest.raises(GradcheckError, match="line 2"):
        Ledger([ASKED], path)


def test_another_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    first = json.loads(filled(path))
    path.write_text(json.dumps(first | {"format": 0}) + "\n", "utf-8")
    with pytest.raises(GradcheckError, match="in format 0, this is .* with format 1"):
        Ledger([ASKED], path)


def test_another_version_is_another_run(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    first = json.loads(filled(path))
    path.write_text(json.dumps(first | {"gradcheck": "0.0.1"}) + "\n", "utf-8")
    with pytest.raises(GradcheckError, match="written by gradcheck 0.0.1"):
        Ledger([ASKED], path)


def test_one_run_at_a_time_writes(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    path = tmp_path / "found.jsonl"
    with Ledger([ASKED], path), pytest.raises(GradcheckError, match="another run is writing"):
        Ledger([ASKED], path)
    filled(path)  # and once it has ended another can


@pytest.mark.parametrize("place", [".", "missing/found.jsonl"])
def test_a_place_where_no_file_can_be_is_refused(place: str, tmp_path: Path) -> None:
    with pytest.raises(GradcheckError, match="is a folder|does not exist"):
        Ledger([ASKED], tmp_path / place)


def test_a_folder_that_cannot_be_written_is_said_to_be_so(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        path = Path("/proc/found.jsonl")
        if not path.parent.is_dir():
            pytest.skip("an administrator can write everywhere here")
    else:
        path = tmp_path / "closed" / "found.jsonl"
        path.parent.mkdir(mode=0o500)
    with pytest.raises(GradcheckError, match="cannot be written"):
        Ledger([ASKED], path)


_DIGEST = """
import sys
from gradcheck.rules.load import load_rule
from gradcheck.store.fingerprint import digest
print(digest(load_rule(sys.argv[1])))
"""


def digest_of(path: Path) -> str:
    command = [sys.executable, "-c", _DIGEST, f"{path}:rule"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_source_is_told_by_the_rule_and_by_every_file_beside_it_or_that_it_loads(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    rule, beside, far = tmp_path / "mine.py", tmp_path / "beside.py", tmp_path / "lib" / "far.py"
    code = (
        "import functools, sys\nsys.path.append({lib!r})\nimport far\nrule = functools.partial(far.made, upto={upto})\n"
    )
    rule.write_text(code.format(lib=str(far.parent), upto=3), "utf-8")
    beside.write_text("def imported_when_it_is_called(): return 1\n", "utf-8")
    far.write_text("def made(problem, upto): return {}\n", "utf-8")
    digests = [digest_of(rule)]
    assert digest_of(rule) == digests[0], "two processes tell one rule apart"
    beside.write_text("def imported_when_it_is_called(): return 2\n", "utf-8")
    digests.append(digest_of(rule))
    far.write_text("def made(problem, upto): return {'W': 0}\n", "utf-8")
    digests.append(digest_of(rule))
    rule.write_text(code.format(lib=str(far.parent), upto=4), "utf-8")
    digests.append(digest_of(rule))
    assert len(set(digests)) == 4, f"a change was not noticed: {digests}"


class Scaled:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, problem: Any) -> Any:
        return {name: self.factor * array for name, array in bptt(problem).items()}


def test_instances_are_told_apart_by_their_attributes() -> None:
    assert digest(Scaled(1.0), Scaled(1.0)) == digest(Scaled(1.0), Scaled(1.0))
    assert digest(Scaled(1.0), Scaled(1.0)) != digest(Scaled(2.0), Scaled(2.0))


def made(factor: float) -> Any:
    def rule(problem: Any) -> Any:
        return {name: factor * array for name, array in bptt(problem).items()}

    return rule


def typed(text: str) -> Any:
    """A function as somebody types it into a console: it has no file."""
    names: dict[str, Any] = {"__name__": "__main__", "bptt": bptt}
    exec(text, names)
    return names["rule"]


TYPED = "def factor(): return {}\ndef rule(problem): return [factor() * a for a in bptt(problem).values()]\n"


def test_functions_are_told_apart_by_what_they_enclose_and_by_their_code() -> None:
    assert digest(made(1.0), made(1.0)) == digest(made(1.0), made(1.0)) != digest(made(2.0), made(2.0))
    assert digest(typed(TYPED.format(1))) == digest(typed(TYPED.format(1))) != digest(typed(TYPED.format(2)))
    assert digest(typed(TYPED.format(1))) != digest(typed(TYPED.format(1).replace("[factor()", "[-factor()")))


def of_class(factor: float) -> type:
    class Rule:
        scale = factor

        def start(self) -> float:
            return factor

        @property
        def twice(self) -> float:
            return 2 * self.scale

        @staticmethod
        def plain() -> float:
            return 1.0

    return Rule


def test_classes_are_told_apart_by_what_is_in_them() -> None:
    text = "class rule:\n    @property\n    def half(self): return {}\n    @staticmethod\n    def one(): return {}\n"
    assert fingerprint(of_class(1.0)) == fingerprint(of_class(1.0)) != fingerprint(of_class(2.0))
    assert fingerprint(of_class(1.0)()) != fingerprint(of_class(2.0)())
    prints = {fingerprint(typed(text.format(half, one))) for half, one in [(1, 1), (2, 1), (1, 2)]}
    assert len(prints) == 3 and fingerprint(typed(text.format(1, 1))) in prints
    derived = [type("Derived", (of_class(factor),), {}) for factor in (1.0, 2.0)]
    assert fingerprint(derived[0]) != fingerprint(derived[1]), "what a class inherits was not looked at"


class Several(list[float]):
    factor = 1.0


def test_what_a_list_of_an_own_kind_holds_beside_its_entries_counts() -> None:
    first, second = Several([1.0]), Several([1.0])
    assert fingerprint(first) == fingerprint(second) != fingerprint([1.0])
    second.factor = 2.0
    assert fingerprint(first) != fingerprint(second)
    assert fingerprint([1.0].index) == fingerprint([1.0].index) != fingerprint([2.0].index)


def test_what_is_written_on_a_function_counts() -> None:
    first, second = made(1.0), made(1.0)
    second.setting = 3  # type: ignore[attr-defined]
    assert fingerprint(first) != fingerprint(second)


def test_what_a_wrapped_function_wraps_counts() -> None:
    assert fingerprint(functools.cache(made(1.0))) == fingerprint(functools.cache(made(1.0)))
    assert fingerprint(functools.cache(made(1.0))) != fingerprint(functools.cache(made(2.0)))
    assert fingerprint(contextlib.contextmanager(made(1.0))) != fingerprint(contextlib.contextmanager(made(2.0)))
    assert fingerprint(np.vectorize(made(1.0))) != fingerprint(np.vectorize(made(2.0)))


def test_what_a_rule_is_compared_with_counts(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"

    def asked(target: Any) -> Asked:
        return Asked("bptt", "bptt", effort="quick", networks=(DEFAULT_NETWORK,), claims=(Equals(target),))

    with Ledger([asked(made(1.0))], path):
        pass
    with Ledger([asked(made(1.0))], path):
        pass
    with pytest.raises(GradcheckError, match="has changed"):
        Ledger([asked(made(2.0))], path)


@pytest.mark.parametrize(
    "value",
    [
        {"a", "b", "c"}, {"b": 1, "a": {2, 3}}, np.arange(3.0), np.float32(2), [1, (2, None)], 1j, "text", b"bytes",
        np.random.default_rng(0), Scaled(3.0), Network("logistic"), Exact(), len, np, np.tanh,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_fingerprint_is_the_same_in_every_process(value: Any) -> None:
    assert fingerprint(value) == fingerprint(copy.deepcopy(value) if not isinstance(value, ModuleType) else value)
    assert fingerprint(value) != fingerprint([value])


def test_sets_have_no_order() -> None:
    code = "import gradcheck.store.fingerprint as i; print(i.fingerprint({'a', 'b', 'c', frozenset({'d', 'e'})}).hex())"
    prints = {
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in range(4)
    }  # fmt: skip
    assert len(prints) == 1


def test_values_within_themselves_and_without_end_have_a_fingerprint() -> None:
    within: list[Any] = [1]
    within.append(within)
    assert fingerprint(within) != fingerprint([1])
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert fingerprint(deep)
    assert fingerprint(threading.Lock()) == fingerprint(threading.Lock())


def test_other_limits_are_another_run(tmp_path: Path) -> None:
    import dataclasses

    path = tmp_path / "found.jsonl"
    filled(path)
    with pytest.raises(GradcheckError, match="with other limits .None, now .60"):
        Ledger([dataclasses.replace(ASKED, limits=DEFAULT_LIMITS)], path)


def test_text_that_no_encoding_has_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    with Ledger([ASKED], path) as ledger:
        ledger.add(UNIT, {"failed": "\udc80"})
    with Ledger([ASKED], path) as ledger:
        assert ledger.get(UNIT) == {"failed": "\udc80"}


def test_a_rule_without_a_file_has_a_digest_too() -> None:
    assert digest(len) == digest(len) != digest(max)
