"""What is kept of SymPy's derivatives is what SymPy derives; what was altered, forged or cut off is derived anew."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from made_up import GatedLeaky

from gradcheck.reference import ring, symbolic
from gradcheck.reference.circuit import Evaluation, LagCircuit
from gradcheck.reference.claims import Exact
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import ContextNetwork, Network, Sizes
from gradcheck.reference.ring import FormalReference
from gradcheck.reference.scalars.rational import RationalField
from gradcheck.store import cache

SIZES = Sizes(3, 2, 1, 2)
NETWORKS = [
    Network().undefined(),
    Network("logistic", "softmax", "categorical_cross_entropy"),
    ContextNetwork().undefined(),
    ContextNetwork("tanh"),
]


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins as a process does that has derived nothing yet."""
    monkeypatch.setattr(ring, "lag_circuit", ring.lag_circuit.__wrapped__)


@pytest.fixture
def folder(tmp_path: Path) -> cache.Folder:
    return cache.Folder(tmp_path / "kept")


def _files(folder: cache.Folder) -> list[Path]:
    return sorted(folder.path.iterdir())


def _terms(network: Any, store: Any, weighted: bool = True) -> tuple[list[str], dict[Any, list[str]]]:
    made = FormalReference(network, SIZES, weighted=weighted, store=store)
    lags = [(t, k) for t in range(1, SIZES.T + 1) for k in range(t)]
    terms = {(*lag, name): list(map(str, a.reshape(-1))) for lag in lags for name, a in made.term(*lag).items()}
    return made.field.labels, terms


def _unable(*_: Any) -> Any:
    raise AssertionError("derived although it was kept")


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_what_is_read_is_what_was_derived(network: Any, folder: cache.Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    derived = _terms(network, None)
    assert _terms(network, folder) == derived, "keeping changed it"
    monkeypatch.setattr(symbolic, "lag_circuit", _unable)
    assert _terms(network, folder) == derived, "reading changed it"


def test_one_derivation_serves_every_activation_and_loss(folder: cache.Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    _terms(Network("relu"), folder)
    monkeypatch.setattr(symbolic, "lag_circuit", _unable)
    _terms(Network("tanh", "logistic", "binary_cross_entropy"), folder, weighted=False)


def _forged(path: Path, change: Any) -> None:
    """Change what a file says and sign it anew."""
    kept = json.loads(path.read_bytes().partition(b"\n")[2])
    change(kept)
    body = json.dumps(kept).encode()
    path.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def _swap_two_entries(kept: Any) -> None:
    entries = kept["data"]["lags"][0]["R"]
    entries[0], entries[1] = entries[1], entries[0]


def _add_instead_of_multiply(kept: Any) -> None:
    next(gate for gate in kept["data"]["gates"] if gate[0] == "*")[0] = "+"


def _drop_the_longest_lag(kept: Any) -> None:
    kept["data"]["lags"].pop()


def _drop_a_parameter(kept: Any) -> None:
    del kept["data"]["lags"][0]["V"]


def _another_function(kept: Any) -> None:
    next(gate for gate in kept["data"]["gates"] if gate[0] == "function")[1] = "tanh"


FORGERIES = [
    _swap_two_entries, _add_instead_of_multiply, _drop_the_longest_lag, _drop_a_parameter, _another_function,
    lambda kept: kept.update(data=None), lambda kept: kept.update(data={"gates": 3, "lags": {}}),
    lambda kept: kept["data"]["gates"].insert(0, ["exec", "print"]), lambda kept: kept["data"]["gates"].clear(),
]  # fmt: skip


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_file_is_found_by_the_reverse_pass_and_written_anew(forgery: Any, folder: cache.Folder) -> None:
    network = NETWORKS[0]
    derived = _terms(network, folder)
    right = {path: path.read_bytes() for path in _files(folder)}
    for path in right:
        if json.loads(right[path].partition(b"\n")[2])["key"].count("T=3"):
            _forged(path, forgery)
            assert path.read_bytes() != right[path], "nothing was forged"
    assert _terms(network, folder) == derived, "the forgery was believed"
    assert {path: path.read_bytes() for path in _files(folder)} == right, "the forgery is still there"


def test_twin_unchecked_the_forgery_would_have_been_the_truth(
    folder: cache.Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    derived = _terms(NETWORKS[0], folder)
    for path in _files(folder):
        _forged(path, _swap_two_entries)
    monkeypatch.setattr(ring, "_is_the_reverse_pass", lambda *_: True)
    assert _terms(NETWORKS[0], folder) != derived


ALTERED = [
    lambda content: content.replace(b'"*"', b'"+"'), lambda content: content[: len(content) // 2], lambda content: b"",
    lambda content: content[65:], lambda content: bytes(range(256)) * 9, lambda content: content + b" ",
]  # fmt: skip


@pytest.mark.parametrize("alter", ALTERED)
def test_an_altered_or_damaged_file_is_not_read(alter: Any, folder: cache.Folder) -> None:
    folder.put("key", {"gates": [["*", 1], ["*", 2]]})
    (path,) = _files(folder)
    right = path.read_bytes()
    path.write_bytes(alter(right))
    assert folder.get("key") is None
    folder.put("key", {"gates": [["*", 1], ["*", 2]]})
    assert path.read_bytes() == right


def test_a_file_of_another_key_or_no_file_at_all_is_not_read(folder: cache.Folder) -> None:
    assert folder.get("key") is None
    folder.put("key", 1)
    (path,) = _files(folder)
    path.rename(folder._file("other"))
    assert folder.get("other") is None
    folder._file("third").mkdir()
    folder.put("third", 1)
    assert folder.get("third") is None
    assert not list(folder.path.glob("*.part")), "a file that could not be put in its place is still there"


def test_folders_of_sources_that_are_long_gone_are_removed(tmp_path: Path) -> None:
    for number in range(cache.KEPT + 3):
        cache.Folder(tmp_path / str(number)).put("key", [number])
        os.utime(tmp_path / str(number), ns=(number, number))
    kept = sorted(int(path.name) for path in tmp_path.iterdir())
    assert kept == list(range(3, cache.KEPT + 3))
    assert cache.Folder(tmp_path / "3").get("key") == [3]


def test_without_a_folder_to_write_to_all_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert _terms(NETWORKS[0], cache.Folder(tmp_path / "file" / "below")) == _terms(NETWORKS[0], None)


def test_a_full_disk_leaves_nothing_behind(folder: cache.Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(cache.os, "replace", full)
    folder.put("key", 1)
    assert folder.get("key") is None and not _files(folder)


def test_a_file_is_whole_whoever_else_writes_it(folder: cache.Folder) -> None:
    datas = [[i] * 20000 for i in range(2)]
    folder.put("key", datas[0])
    writers = [threading.Thread(target=lambda d=d: [folder.put("key", d) for _ in range(20)]) for d in datas]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert folder.get("key") in datas
    assert len(_files(folder)) == 1


class Impostor(Network):
    """Called as the network of which it is not."""

    def readout(self, parameters: Any, state: Any) -> Any:
        return 2 * super().readout(parameters, state)


@pytest.mark.parametrize("network", [GatedLeaky(), Impostor()], ids=["a user's", "a subclass"])
def test_networks_of_a_users_making_are_not_kept(network: Any, folder: cache.Folder) -> None:
    FormalReference(network, Sizes(1, 1, 1, 1), store=folder).term(1, 0)
    assert not folder.path.exists()


def test_the_folder_is_another_for_other_sources_and_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    module = tmp_path / "below" / "network.py"
    module.write_text("a = 1")
    monkeypatch.setattr(cache.reference, "__path__", [str(tmp_path)])
    seen = [cache._origin()]
    module.write_text("a = 2")
    seen.append(cache._origin())
    module.rename(module.with_name("problem.py"))
    seen.append(cache._origin())
    monkeypatch.setattr(cache.importlib.metadata, "version", lambda name: f"{name} 99")
    seen.append(cache._origin())
    assert len(set(seen)) == 4
    assert cache._origin() == seen[-1]


def test_the_variable_names_the_folder_or_turns_it_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    store = cache.store()
    assert store is not None and tmp_path in store.path.parents
    monkeypatch.setenv(cache.VARIABLE, "OFF")
    assert cache.store() is None
    monkeypatch.delenv(cache.VARIABLE)
    platformdirs = pytest.importorskip("platformdirs")
    own = cache._opened.__wrapped__("")
    assert own is not None and platformdirs.user_cache_path("gradcheck", appauthor=False) in own.path.parents
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: Path("~"))
    assert cache._opened.__wrapped__("") is None, "without a home it would have been a folder called ~"


class InMemory:
    """A store, as workers have one in the process that started them."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        return self.kept.get(key)

    def put(self, key: str, data: Any) -> None:
        self.kept[key] = data


@pytest.mark.parametrize(("network", "kept"), [(Network(), True), (GatedLeaky(), False)])
def test_references_go_to_the_store_in_use(network: Any, kept: bool) -> None:
    store = InMemory()
    with cache.using(store):
        ref = FormalReference(network, Sizes(1, 1, 1, 1), store=cache.store())
        ref.gradient(1, Exact())
    assert bool(store.kept) == kept, "a network of a user's own may change under its name"
    assert cache.store() is not store, "the store outlives its context"


_PROVE = """
import sys
from gradcheck.algorithms import bptt
from gradcheck.evidence.base import Case
from gradcheck.evidence.exact import formal
from gradcheck.rules.adapt import as_rule
rule = as_rule(bptt)
case = Case(rule, rule.declaration.claims[0], rule.declaration.networks[0])
print(formal.Formal(largest_T=2, shapes=[(1, 1, 1)]).gather(case).evidence.strength.name, "sympy" in sys.modules)
"""


@pytest.mark.processes
def test_a_proof_from_what_is_kept_does_without_sympy(tmp_path: Path) -> None:
    said = []
    for _ in range(2):
        environment = {**os.environ, cache.VARIABLE: str(tmp_path)}
        command = [sys.executable, "-c", _PROVE]
        said.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip())
    assert said == ["PROVED True", "PROVED False"]


def test_gates_are_worth_what_they_say() -> None:
    field = RationalField()
    evaluation = Evaluation(field)
    evaluation.assign("x", field.convert(3))
    gates = [
        ("symbol", "x"), ("number", -1, 2), ("+", 0, 0, 1), ("*", 0, 1, 2), ("^", 2, 0), ("^", -2, 0),
        ("function", "heaviside", 3),
    ]  # fmt: skip
    values = [evaluation.values[evaluation.add(gate)] for gate in gates]
    wanted = [3.0, -0.5, 5.5, -8.25, 9.0, None, 0.0]
    for value, number in zip(values, wanted, strict=True):
        assert value == (field.convert(1) / 9 if number is None else field.convert(number)), number


@pytest.mark.parametrize(
    "data",
    [
        None, [], {}, {"gates": []}, {"gates": [["symbol"]], "lags": []}, {"gates": [["number", 1]], "lags": []},
        {"gates": [["+"]], "lags": []}, {"gates": [["+", 0]], "lags": []}, {"gates": [[[]]], "lags": []},
        {"gates": [["symbol", "x"], ["^", 2]], "lags": []}, {"gates": [["symbol", "x"], ["+", -1]], "lags": []},
        {"gates": [["symbol", "x"], ["*", True]], "lags": []}, {"gates": [["symbol", "x"]], "lags": [{"W": [1]}]},
        {"gates": [["symbol", "x"]], "lags": [{"W": ["0"]}]}, {"gates": [["symbol", "x"]], "lags": [[0]]},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_circuit_is_refused(data: Any) -> None:
    with pytest.raises(GradcheckError, match="no circuit|wanted"):
        LagCircuit.from_plain(data)


def test_a_circuit_survives_json() -> None:
    circuit = symbolic.lag_circuit(Network().undefined(), Sizes(2, 2, 1, 1), 2)
    again = LagCircuit.from_plain(json.loads(json.dumps(circuit.plain())))
    assert json.dumps(again.plain()) == json.dumps(circuit.plain())
    assert len(set(circuit.gates)) == len(circuit.gates), "what recurs is written again"
