"""The file that keeps results: what it refuses, and that it loses and repeats nothing."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gradcheck.reference.errors import GradcheckError
from gradcheck.store.ledger import Ledger

RUN: dict[str, Any] = {"rules": [{"name": "bptt", "effort": "quick", "files": {"mine.py": "12ab"}}], "seed": 0}
VALUE = {"part": {"shown": {"at": "T=1"}, "seconds": 0.1}}


def filled(path: Path, *keys: str) -> bytes:
    with Ledger(path, RUN) as ledger:
        for key in keys:
            ledger.add(key, {"at": key})
    return path.read_bytes()


def test_added_values_are_there_again(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    filled(path, "T=1", "T=2")
    with Ledger(path, RUN) as ledger:
        assert (ledger.resumed, ledger.get("T=1"), ledger.get("T=3")) == (2, {"at": "T=1"}, None)


def test_without_a_path_values_are_kept_in_memory() -> None:
    with Ledger(None, {}) as ledger:
        ledger.add("key", VALUE)
        assert (ledger.get("key"), ledger.resumed) == (VALUE, 0)


def test_a_value_reads_back_as_it_is_known_in_the_run_that_added_it(tmp_path: Path) -> None:
    path, draw = tmp_path / "found.jsonl", random.Random(0)
    numbers = [draw.random() * 10.0 ** draw.randint(-320, 308) for _ in range(2000)]
    values = {
        "numbers": numbers, "large": [2**64, -(10**30)], "odd": [float("inf"), float("nan")], "tuple": (1, (2,)),
        "text": "\udc80 \u2028 \r\n ä",
    }  # fmt: skip
    with Ledger(path, RUN) as ledger:
        ledger.add("key", values)
        known = ledger.get("key")
    with Ledger(path, RUN) as ledger:
        assert ledger.get("key") == known
    assert known["numbers"] == numbers and known["odd"] == [{"$float": "inf"}, {"$float": "nan"}]


def test_each_value_is_in_the_file_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    with Ledger(path, RUN) as ledger:
        for number in range(1, 4):
            ledger.add(str(number), {})
            assert len(path.read_bytes().splitlines()) == 1 + number


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_an_unfinished_line_is_taken_away(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    whole = filled(path, "T=1", "T=2")
    path.write_bytes(whole[:-cut])
    with Ledger(path, RUN) as ledger:
        assert ledger.resumed == 1
    assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:2])


def test_an_unfinished_first_line_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    whole = filled(path)
    path.write_bytes(whole[:9])
    filled(path)
    assert path.read_bytes() == whole


OTHERS: dict[str, tuple[Any, list[str]]] = {
    "another rule": (lambda d: d["rules"][0].update(name="RTRL"), ["rules[0].name", "'bptt'", "'RTRL'"]),
    "another effort": (lambda d: d["rules"][0].update(effort="full"), ["rules[0].effort", "'quick'", "'full'"]),
    "another seed": (lambda d: d.update(seed=3), ["seed was 0, and is 3"]),
    "a seed of another type": (lambda d: d.update(seed=False), ["seed was 0, and is False"]),
    "a file changed": (lambda d: d["rules"][0]["files"].update({"mine.py": "34cd"}), ["files.mine.py"]),
    "a file more": (lambda d: d["rules"][0]["files"].update({"w.npy": "34"}), ["files.w.npy was absent"]),
    "a file less": (lambda d: d["rules"][0]["files"].clear(), ["files.mine.py", "is absent"]),
    "a rule more": (lambda d: d["rules"].append({}), ["rules[1] was absent"]),
}


@pytest.mark.parametrize("name", OTHERS)
def test_results_of_another_run_are_refused_and_kept(name: str, tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    before = filled(path, "T=1")
    other = json.loads(json.dumps(RUN))
    OTHERS[name][0](other)
    with pytest.raises(GradcheckError) as caught:
        Ledger(path, other)
    for fragment in OTHERS[name][1]:
        assert fragment in str(caught.value), caught.value
    assert path.read_bytes() == before


FOREIGN = {
    "an unfinished line": b"hello",
    "lines, the last unfinished": b"hello\nhello",
    "text": b"hello\n",
    "a list": b"[1]\n",
    "a report": b'{"schema": 1}\n',
    "binary": b"\x00\xff\xfe\n",
    "nothing to compare": b'{"gradcheck": "0.1.0", "format": 2, "fingerprint": null}\n',
    "an empty line": b"\n",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_file_of_something_else_is_refused_and_kept(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    path.write_bytes(content)
    with pytest.raises(GradcheckError, match="line 1 of .*found.jsonl is no result of a run; name another file"):
        Ledger(path, RUN)
    assert path.read_bytes() == content


BROKEN = {
    "a key that is no text": b'{"key": 1, "value": {}}',
    "no value": b'{"key": "a"}',
    "something more": b'{"key": "a", "value": 1, "more": 2}',
    "a list": b"[[]]",
    "NaN": b'{"key": "a", "value": NaN}',
    "half a surrogate": b'{"key": "a", "value": "\\ud800"}',
    "brackets without end": b"[" * 100_000,
    "nested without end": b'{"key": "a", "value": ' + b"[" * 100_000,
    "an empty line": b"",
    "what the check refuses": b'{"key": "a", "value": "refused"}',
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_a_line_that_is_no_result_is_refused_by_its_number(line: bytes, tmp_path: Path) -> None:
    def check(value: Any) -> None:
        assert value["at"]

    path = tmp_path / "found.jsonl"
    content = filled(path, "T=1") + line + b"\n"
    path.write_bytes(content)
    with pytest.raises(GradcheckError, match="line 3 of .*found.jsonl is no result of a run"):
        Ledger(path, RUN, check=check)
    assert path.read_bytes() == content


@pytest.mark.parametrize(("key", "value", "fragment"), [("format", 0, "format 0"), ("gradcheck", "0.0.1", "0.0.1")])
def test_another_format_or_version_is_refused(key: str, value: Any, fragment: str, tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    first = json.loads(filled(path))
    path.write_text(json.dumps(first | {key: value}) + "\n", "utf-8")
    with pytest.raises(GradcheckError, match=f"was written by gradcheck .*{fragment}"):
        Ledger(path, RUN)


def test_one_run_at_a_time_writes(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    path = tmp_path / "found.jsonl"
    with Ledger(path, RUN), pytest.raises(GradcheckError, match="another run is writing"):
        Ledger(path, RUN)
    filled(path)  # and once it has ended another can


@pytest.mark.parametrize("place", [".", "missing/found.jsonl", "a\0b"])
def test_a_place_where_no_file_can_be_is_refused(place: str, tmp_path: Path) -> None:
    with pytest.raises(GradcheckError, match="is a folder|does not exist|cannot be written"):
        Ledger(tmp_path / place, RUN)


# Full disks

_FULL = """
import resource, signal, sys
from pathlib import Path
from gradcheck.reference.errors import GradcheckError
from gradcheck.store.ledger import Ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    with Ledger(Path(sys.argv[1]), {"seed": 0}) as ledger:
        for number in range(100):
            ledger.add(str(number), "x" * 50)
except GradcheckError as error:
    print(error)
"""


@pytest.mark.processes
@pytest.mark.parametrize("size", [10, 300, 700])
def test_a_full_disk_is_an_error_of_ours_and_loses_nothing_that_was_written(size: int, tmp_path: Path) -> None:
    """The system takes a part of a line, and refuses the rest: at the first line, and at others."""
    pytest.importorskip("resource")
    path = tmp_path / "found.jsonl"
    command = [sys.executable, "-c", _FULL, str(path), str(size)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "results cannot be written to" in done.stdout, done
    content = path.read_bytes()
    assert len(content) <= size and (not content or content.endswith(b"\n")), "half a line was left"
    with Ledger(path, {"seed": 0}) as ledger:
        assert ledger.resumed == max(0, content.count(b"\n") - 1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_no_place_for_results(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(GradcheckError, match="not a regular file"):
        Ledger(tmp_path / "pipe", RUN)
