"""Certificates of proofs for every T, and the checker that imports nothing of gradcheck."""

from __future__ import annotations

import ast
import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import gradcheck
from gradcheck.algorithms import RTRL, Focused, Schmidhuber
from gradcheck.cli.commands import app
from gradcheck.evidence.exact.induction import check
from gradcheck.evidence.exact.induction.check import Rejected
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import ContextNetwork, Network
from tests.online_rules import TANH, WRONG, Delayed, Plain

TINY = ((1, 1, 1),)


def written(folder: Path, target: Any, network: Any, shapes: Any = TINY) -> list[Any]:
    made = gradcheck.certify(target, folder, networks=[network], shapes=shapes)
    assert all(one.path for one in made), [str(one) for one in made]
    return [json.loads(one.path.read_text()) for one in made if one.path]


@pytest.fixture(scope="module")
def rtrl(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return written(tmp_path_factory.mktemp("rtrl"), RTRL, Network("tanh"), ((2, 1, 1),))[0]


@pytest.fixture(scope="module")
def delayed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return written(tmp_path_factory.mktemp("delayed"), Delayed, TANH)[0]


@pytest.mark.parametrize(
    ("target", "network", "shapes"),
    [
        (Schmidhuber, Network("tanh"), TINY),
        (Focused, ContextNetwork("tanh"), ((2, 1, 1),)),
        (Plain, TANH, ((2, 1, 1),)),
        (RTRL, gradcheck.GRU(), TINY),
        (RTRL, gradcheck.LSTM(initial_state="zeros"), TINY),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_the_checker_accepts_every_certificate(target: Any, network: Any, shapes: Any, tmp_path: Path) -> None:
    for data in written(tmp_path, target, network, shapes):
        assert "for every T" in check.check(data)


def test_the_checker_accepts_what_is_forged_below(rtrl: Any, delayed: Any) -> None:
    assert check.check(rtrl) and check.check(delayed)


def test_a_learned_start_is_differentiated_too(tmp_path: Path) -> None:
    def initial_state(parameters: Any) -> Any:
        return parameters["h0"] * parameters["h0"]

    network = gradcheck.network(
        lambda p, h, x: p["r"] * h + x, lambda p, h: h, parameters={"r": ("I",), "h0": ("I",)},
        initial_state=initial_state, sizes={"D": "I", "K": "I"},
    )  # fmt: skip
    data = written(tmp_path, RTRL, network)[0]
    assert check.check(data)
    data["forward"]["start"] = [[]]
    with pytest.raises(Rejected):
        check.check(data)


def doubled(polynomial: list[Any]) -> None:
    """Change a polynomial: one coefficient is another."""
    if polynomial:
        polynomial[0][0] = str(check.Fraction(polynomial[0][0]) * 2)
    else:
        polynomial.append(["1", []])


def change(*path: Any, to: Any = None) -> Callable[[Any], None]:
    """Return a function that changes the polynomial at a path, or puts a value there."""

    def forge(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        if to is None:
            doubled(data[path[-1]])
        else:
            data[path[-1]] = to

    return forge


def swapped(*path: Any, pair: tuple[int, int] = (0, 1)) -> Callable[[Any], None]:
    def forge(data: Any) -> None:
        for key in path:
            data = data[key]
        data[pair[0]], data[pair[1]] = data[pair[1]], data[pair[0]]

    return forge


def lost(*path: Any) -> Callable[[Any], None]:
    def forge(data: Any) -> None:
        for key in path:
            data = data[key]
        data.pop()

    return forge


def with_a_term(*generator: Any) -> Callable[[Any], None]:
    """Return a function that adds the square of a generator to the loss."""

    def forge(data: Any) -> None:
        forward = data["forward"]
        forward["generators"].append(list(generator))
        forward["loss"].append(["1", [[len(forward["generators"]) - 1, 2]]])

    return forge


FORGED: dict[str, Callable[[Any], None]] = {
    "a loss with a term of the parameters": with_a_term("theta", 0),
    "a loss with a term of the state": with_a_term("z", 0),
    "a loss with a term in a function": with_a_term("function", "tanh", [[["1", [[0, 1]]]]]),
    "a number with a large exponent": change("relations", 5, to=["constant", "1e99999999"]),
    "a network that is no text": change("network", to={}),
    "another contribution in the step": change("step", "contributions", 0, 0),
    "another contribution in the base": change("base", "contributions", 0, 1),
    "no contribution": change("step", "contributions", 0, 0, to=[]),
    "another state after the step": change("step", "after", -1),
    "another state after the base": change("base", "after", -1),
    "another identification": change("step", "before", -1),
    "two numbers of the state exchanged": swapped("step", "before", pair=(-1, -2)),
    "two contributions exchanged": swapped("step", "contributions", 0),
    "a last contribution from nothing": change("base", "finishes", 0, 0),
    "a last contribution after a period": change("step", "finishes", -1, 0),
    "last contributions throughout the step": lambda data: [doubled(f[0]) for f in data["step"]["finishes"]],
    "another forward equation": change("forward", "state", 0),
    "another readout": change("forward", "readout", 0),
    "another loss": change("forward", "loss"),
    "a loss of nothing": change("forward", "loss", to=[]),
    "an entry of the influence that is said to be 0": change("relations", 5, to=["constant", "0"]),
    "an entry that is said to be another": change("relations", 5, to=["alike", 2]),
    "a state that is said to be a parameter": change("relations", 0, to=["parameter", 0]),
    "a relation to one that is not free": change("relations", -1, to=["alike", 10**6]),
    "a relation too few": lost("relations"),
    "no base": change("first", to=0),
    "a window that is too long": change("window", to=2),
    "no period": change("period", to=0),
    "a longer period": change("period", to=2),
    "a contribution too few": lost("step", "contributions", 0),
    "no step": change("step", "contributions", to=[]),
    "a number of the state too few": lost("step", "before"),
    "a parameter too few": lost("parameters"),
    "an input of a step to come": lambda data: [
        change("step", "generators", n, to=["x", 1, 0])(data)
        for n, each in enumerate(data["step"]["generators"])
        if each == ["x", 0, 0]
    ],
    "a target of another step": lambda data: [
        change("step", "generators", n, to=["y", 0, 0])(data)
        for n, each in enumerate(data["step"]["generators"])
        if each == ["y", 1, 0]
    ],
    "a weight that is left out": change("weighted", to=False),
    "another function": lambda data: [
        change("step", "generators", n, 1, to="tanh")(data)
        for n, each in enumerate(data["step"]["generators"])
        if each[:2] == ["function", "f"]
    ],
    "a function without a law": lambda data: [
        change("forward", "generators", n, 1, to="g")(data)
        for n, each in enumerate(data["forward"]["generators"])
        if each[:2] == ["function", "f"]
    ],
    "a generator of a later one": change("step", "generators", 0, to=["function", "f", [[["1", [[5, 1]]]]]]),
    "a generator out of range": change("step", "generators", 0, to=["theta", 99]),
    "a negative power": change("step", "after", 0, to=[["1", [[0, -1]]]]),
    "a coefficient that divides by 0": change("step", "after", 0, to=[["1/0", [[0, 1]]]]),
    "a coefficient that is no text": change("step", "after", 0, to=[[1.0, [[0, 1]]]]),
    "another format": change("format", to=2),
    "no list of sizes": change("sizes", to=[2, 1]),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_the_checker_rejects_forged_certificates(forge: Callable[[Any], Any], rtrl: Any) -> None:
    data = copy.deepcopy(rtrl)
    forge(data)
    assert data != rtrl, "nothing was forged"
    with pytest.raises(Rejected):
        check.check(data)


FORGED_LAST: dict[str, Callable[[Any], None]] = {
    "no last contribution": lambda data: [change(*p, to=[])(data) for p in (("base", "finishes", -1, 0),)],
    "none in the step": lambda data: [each.__setitem__(0, []) for each in data["step"]["finishes"]],
    "another in the step": change("step", "finishes", 0, 0),
    "none at all": lambda data: [
        each.__setitem__(n, []) for part in ("base", "step") for each in data[part]["finishes"] for n in range(3)
    ],
}


@pytest.mark.parametrize("forge", FORGED_LAST.values(), ids=FORGED_LAST)
def test_last_contributions_are_checked(forge: Callable[[Any], Any], delayed: Any) -> None:
    data = copy.deepcopy(delayed)
    forge(data)
    assert data != delayed, "nothing was forged"
    with pytest.raises(Rejected):
        check.check(data)


@pytest.mark.parametrize("data", [None, [], {}, {"format": 1}, "x", 1, {"format": 1, "sizes": None}])
def test_the_checker_rejects_what_is_no_certificate(data: Any) -> None:
    with pytest.raises(Rejected):
        check.check(data)


def test_the_checker_imports_the_standard_library_alone() -> None:
    tree = ast.parse(Path(check.__file__).read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)


def test_the_checker_runs_by_its_path(rtrl: Any, tmp_path: Path) -> None:
    good, bad, broken = (tmp_path / f"{name}.json" for name in ("good", "bad", "broken"))
    good.write_text(json.dumps(rtrl))
    forged = copy.deepcopy(rtrl)
    FORGED["another contribution in the step"](forged)
    bad.write_text(json.dumps(forged))
    broken.write_text("{")

    def run(*paths: Path) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-I", check.__file__, *map(str, paths)], capture_output=True, text=True, cwd=tmp_path
        )
        return done.returncode, done.stdout

    assert run(good) == (0, f"{good}: holds. {check.check(rtrl)}\n")
    status, out = run(good, bad)
    assert status == 1 and "REJECTED" in out
    assert run(broken)[0] == run(tmp_path / "missing.json")[0] == run()[0] == 2


def test_names_cannot_look_like_the_outcome_of_another_file(
    rtrl: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = {**copy.deepcopy(rtrl), "rule": "RTRL\nother.json: holds. \x1b\ud800"}
    path = tmp_path / "forged.json"
    path.write_text(json.dumps(forged))
    assert check.main([str(path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_no_certificate_is_written_of_what_is_not_proved(tmp_path: Path) -> None:
    (one,) = gradcheck.certify(WRONG["CountsInState"], tmp_path, networks=[TANH], shapes=TINY)
    assert one.path is None and "state[0] is 1, 2, 3, 4" in one.reason
    assert not list(tmp_path.iterdir())


def test_the_command_writes_certificates(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["certify", "Focused", str(tmp_path / "new"), "--network", "context:tanh"])
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "new").glob("*.json"))) == 2
    of_a_function = CliRunner().invoke(app, ["certify", "bptt", str(tmp_path / "none"), "--network", "tanh"])
    assert of_a_function.exit_code == 3, of_a_function.output
    assert "a function of the whole sequence" in of_a_function.output


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GradcheckError, match="cannot make the folder"):
        gradcheck.certify(Plain, tmp_path / "file", networks=[TANH], shapes=TINY)
