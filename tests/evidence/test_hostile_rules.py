"""No rule causes a traceback of ours: whatever it raises, returns or changes, every kind of evidence ends in a finding.

Rules that are wrong, or do what a rule must not, never pass; rules that are right in an unusual way do.
"""

from __future__ import annotations

import builtins
import ctypes
import decimal
import faulthandler
import gc
import json
import locale
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from right_rules import bptt as right

from gradcheck.evidence.base import Case, Finding, Kind
from gradcheck.evidence.exact import enclosure, formal, ladder, modular
from gradcheck.evidence.floats import blackbox, float_ladder, lagwise, properties
from gradcheck.evidence.preconditions import purity
from gradcheck.records import Cause, Status
from gradcheck.reference.claims import Exact
from gradcheck.reference.errors import GradcheckError, Undecided, UnsupportedOperation
from gradcheck.reference.network import Network, Sizes
from gradcheck.reference.problem import Problem
from gradcheck.rules import call
from gradcheck.rules.adapt import WrongResult, as_rule

SIZES = (Sizes(3, 2, 2, 1), Sizes(11, 2, 1, 2))
FLOATS = blackbox.BlackBox(sizes=SIZES, branching=False)
KINDS: tuple[Kind, ...] = (
    purity.Purity(SIZES),
    formal.Formal(1, ((1, 1, 1),)),
    modular.Modular(SIZES[:1]),
    enclosure.Enclosure(SIZES[:1]),
    ladder.Ladder(SIZES[0], (30,)),
    FLOATS,
    blackbox.BlackBox(np.float32, SIZES[:1], branching=False),
    lagwise.Lagwise(Sizes(4, 2, 4, 1)),
    float_ladder.FloatLadder(SIZES[:1]),
    properties.Properties(sizes=SIZES[:1], drawn=1),
)
Rule = Callable[[Problem], Any]


class Refusing(np.ndarray):
    """An array that refuses ufuncs."""

    def __array_ufunc__(self, *arguments: Any, **named: Any) -> Any:
        return NotImplemented


class Raising(np.ndarray):
    """An array that raises an error wherever it is looked at."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("looked at")

    def __array_finalize__(self, other: Any) -> None:
        pass

    def __array_ufunc__(self, *arguments: Any, **named: Any) -> Any:
        raise RuntimeError("used")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message")

    __repr__ = __str__


class NoCause(Exception):
    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no cause")


class Nameless(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("no name")


class OfNameless(Exception, metaclass=Nameless):
    pass


class Items(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise RuntimeError("no items")

    __iter__ = __len__ = __getitem__ = keys = values = items  # type: ignore[assignment]


class Key(str):
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")


class Lying:
    """Not an array, but says so."""

    __class__ = np.ndarray  # type: ignore[assignment]
    shape, dtype = (2, 2), np.dtype(float)

    def __array__(self, *arguments: Any, **named: Any) -> Any:
        raise RuntimeError("no array")


class Number(float):
    def __float__(self) -> float:
        raise RuntimeError("no float")

    __sub__ = __rsub__ = __abs__ = __eq__ = __float__  # type: ignore[assignment]
    __hash__ = float.__hash__


class NoWarning(UserWarning):
    def __str__(self) -> str:
        raise RuntimeError("no warning")


def each(gradient: Any, function: Callable[[Any], Any]) -> Any:
    return {name: function(array) for name, array in gradient.items()}


def raises(make: Callable[[], BaseException]) -> Rule:
    def rule(problem: Problem) -> Any:
        raise make()

    return rule


def returns(make: Callable[[Any], Any]) -> Rule:
    return lambda problem: make(right(problem))


def doing(act: Callable[[Problem], Any]) -> Rule:
    def rule(problem: Problem) -> Any:
        result = right(problem)
        act(problem)
        return result

    return rule


def circular() -> BaseException:
    a, b = ValueError("a"), ValueError("b")
    a.__cause__, b.__cause__ = b, a
    return a


def late(error: type[BaseException], *arguments: Any) -> Rule:
    def rule(problem: Problem) -> Any:
        if problem.T > 10:
            raise error(*arguments)
        return right(problem)

    return rule


def wrong_late(problem: Problem) -> Any:
    """Wrong beyond ten steps, and refuses there to be judged."""
    if problem.T > 10:
        raise UnsupportedOperation("sorted", "ball")
    return right(problem)


async def coroutine(problem: Problem) -> Any:
    return right(problem)


def generator(problem: Problem) -> Any:
    yield right(problem)


def filled(value: Any) -> Callable[[Any], Any]:
    def fill(array: Any) -> Any:
        out = np.empty(array.shape, dtype=object)
        out[...] = value
        return out

    return fill


WRONG: dict[str, Rule] = {
    # what it raises
    "KeyboardInterrupt": raises(KeyboardInterrupt),
    "SystemExit": raises(lambda: SystemExit(0)),
    "GeneratorExit": raises(GeneratorExit),
    "a BaseException of its own": raises(type("Own", (BaseException,), {})),
    "StopIteration": raises(StopIteration),
    "a warning that cannot be shown": doing(lambda p: warnings.warn(NoWarning(), stacklevel=1)),
    "MemoryError": raises(MemoryError),
    "RecursionError": lambda problem: WRONG["RecursionError"](problem),
    "an error without a message": raises(Unspeakable),
    "an error without a cause": raises(NoCause),
    "an error without a name": raises(OfNameless),
    "errors that cause each other": raises(circular),
    "an enormous message": raises(lambda: ValueError("x\n" * 10**6)),
    "lone surrogates": raises(lambda: ValueError("\udcff\x00\x1b[2J")),
    "bytes for a message": raises(lambda: ValueError(b"\xff", [object()])),
    "an exception group": raises(lambda: BaseExceptionGroup("g", [KeyboardInterrupt(), ValueError()])),
    "our UnsupportedOperation": raises(lambda: UnsupportedOperation("sorted", "ball")),
    "our Undecided": raises(lambda: Undecided("sorted", "ball")),
    "our WrongResult": raises(lambda: WrongResult("no", {})),
    "our RuleFailed": raises(lambda: call.RuleFailed("no")),
    "our GradcheckError": raises(lambda: GradcheckError("no")),
    "UnsupportedOperation beyond T=10": wrong_late,
    "KeyboardInterrupt beyond T=10": late(KeyboardInterrupt),
    # what it returns
    "None": lambda problem: None,
    "a coroutine": coroutine,
    "a generator": generator,
    "a class": lambda problem: dict,
    "a module": lambda problem: np,
    "itself": lambda problem: problem,
    "no keys": lambda problem: {},
    "keys that are no text": returns(lambda g: {1: g["W"], None: g["R"], (2, object()): g["V"]}),
    "keys that do not compare": returns(lambda g: {Key(name): array for name, array in g.items()}),
    "ten thousand keys": returns(lambda g: {**g, **dict.fromkeys(map(str, range(10**4)), 0)}),
    "enormous keys": returns(lambda g: {**g, "x" * 10**6: 0}),
    "a namespace": returns(lambda g: SimpleNamespace(**g)),
    "lists": returns(lambda g: each(g, lambda a: a.tolist())),
    "memoryviews": returns(lambda g: each(g, lambda a: memoryview(np.zeros(a.shape)))),
    "text": returns(lambda g: each(g, str)),
    "arrays of text": returns(lambda g: each(g, lambda a: np.full(a.shape, "x"))),
    "times": returns(lambda g: each(g, lambda a: np.zeros(a.shape, "datetime64[s]"))),
    "records": returns(lambda g: each(g, lambda a: np.zeros(a.shape, [("x", float)]))),
    "complex numbers": returns(lambda g: each(g, lambda a: np.zeros(a.shape, complex))),
    "None in arrays": returns(lambda g: each(g, filled(None))),
    "objects in arrays": returns(lambda g: each(g, filled(object()))),
    "text in arrays": returns(lambda g: each(g, filled("1.0"))),
    "arrays in arrays": returns(lambda g: each(g, lambda a: filled(SimpleNamespace())(a))),
    "masked entries": returns(lambda g: each(g, lambda a: np.ma.masked_all(a.shape))),
    "NaN": returns(lambda g: each(g, lambda a: np.full(a.shape, np.nan))),
    "infinity": returns(lambda g: each(g, lambda a: np.full(a.shape, -np.inf))),
    "a strided zero": returns(lambda g: each(g, lambda a: np.broadcast_to(0.0, a.shape))),
    "other dimensions": returns(lambda g: each(g, lambda a: np.zeros((1,) * 32))),
    "an array that is none": returns(lambda g: each(g, lambda a: Lying())),
    "numbers that are too large": returns(lambda g: each(g, filled(10**400))),
    # what it changes
    "an attribute of its network": doing(lambda p: object.__setattr__(p.network, "extra", 1)),
    "the activation of its network": doing(lambda p: object.__setattr__(p.network, "activation", None)),
    "a builtin": doing(lambda p: setattr(builtins, "len", None)),
    "every builtin": doing(lambda p: vars(builtins).update(dict.fromkeys(("isinstance", "type", "str", "map"), 0))),
    "__import__": doing(lambda p: setattr(builtins, "__import__", None)),
    "sys.modules emptied": doing(lambda p: sys.modules.clear()),
    "sys.modules replaced": doing(lambda p: setattr(sys, "modules", {})),
    "a module taken away": doing(lambda p: sys.modules.pop("json")),
    "NumPy's tanh": doing(lambda p: setattr(np, "tanh", np.sin)),
    "NumPy's isfinite": doing(lambda p: setattr(np, "isfinite", lambda a: np.True_)),
    "math": doing(lambda p: setattr(__import__("math"), "log2", None)),
    "NumPy's errors": doing(lambda p: np.seterr(all="raise")),
    "the current directory": doing(lambda p: os.chdir("/")),
    "its inputs": doing(lambda p: p.inputs.fill(0)),
    "the keys of its parameters": doing(lambda p: p.parameters.clear()),
}
RIGHT: dict[str, Rule] = {
    "bytes to standard output": doing(lambda p: sys.stdout.buffer.write(b"\xff text")),
    "standard output to a child": doing(lambda p: subprocess.run(["true"], stdout=sys.stdout, stderr=sys.stderr)),
    "standard input to a child": doing(lambda p: subprocess.run(["true"], stdin=sys.stdin, check=True)),
    "the encoding": doing(lambda p: "x".encode(sys.stdout.encoding)),
    "reconfigured output": doing(lambda p: sys.stdout.reconfigure(line_buffering=True)),  # type: ignore[union-attr]
    "a terminal": doing(lambda p: sys.stdout.isatty() or sys.stderr.isatty()),
    "closed output": doing(lambda p: (sys.stdout.close(), print("more"))),
    "faulthandler": doing(lambda p: (faulthandler.enable(file=sys.stderr), faulthandler.disable())),
    "logging": doing(lambda p: logging.getLogger("hostile").warning("%s", "x")),
    "much output": doing(lambda p: print("x" * 10**6)),
    "objects that are floats": returns(lambda g: each(g, lambda a: np.asarray(a).astype(object))),
    "a float subclass": returns(
        lambda g: each(g, lambda a: np.frompyfunc(Number, 1, 1)(a) if a.dtype.kind == "f" else a)
    ),
    "an array that refuses ufuncs": returns(lambda g: each(g, lambda a: np.asarray(a).view(Refusing))),
    "an array that raises": returns(lambda g: each(g, lambda a: np.ndarray.view(np.asarray(a), Raising))),
    "a matrix": returns(lambda g: each(g, np.asmatrix)),
    "a masked array": returns(lambda g: each(g, np.ma.asarray)),
    "a dict that has no items": returns(Items),
    "an ordered dict": returns(OrderedDict),
    "a default dict": returns(lambda g: defaultdict(list, g)),
    "Fortran order": returns(lambda g: each(g, np.asfortranarray)),
    "sys.path": doing(lambda p: sys.path.clear()),
    "no paths": doing(lambda p: sys.path.extend([None, 3])),  # type: ignore[list-item]
    "the environment": doing(lambda p: os.environ.clear()),
    "the trace function": doing(lambda p: sys.settrace(lambda *a: None)),
    "the profile function": doing(lambda p: sys.setprofile(lambda *a: None)),
    "the garbage collector": doing(lambda p: gc.disable()),
    "warnings as errors": doing(lambda p: warnings.simplefilter("error")),
    "the decimal context": doing(lambda p: setattr(decimal.getcontext(), "prec", 2)),
    "digits of integers": doing(lambda p: sys.set_int_max_str_digits(640)),
    "the recursion limit": doing(lambda p: sys.setrecursionlimit(10**4)),
    "signal handlers": doing(lambda p: signal.signal(signal.SIGINT, signal.SIG_IGN)),
    "an alarm": doing(lambda p: (signal.signal(signal.SIGALRM, lambda *a: 1 / 0), signal.setitimer(0, 0.05))),
    "children that nobody waits for": doing(lambda p: signal.signal(signal.SIGCHLD, signal.SIG_IGN)),
    "hooks": doing(lambda p: (setattr(sys, "excepthook", None), setattr(threading, "excepthook", None))),
    "the locale": doing(lambda p: locale.setlocale(locale.LC_ALL, "C")),
    "generators": doing(lambda p: (random.random(), np.random.random())),
    "a caught KeyboardInterrupt": doing(lambda p: pytest.raises(KeyboardInterrupt, raises(KeyboardInterrupt), p)),
}


def case_of(rule: Rule) -> Case:
    return Case(as_rule(rule, claims=[Exact()]), Exact(), Network())


def found(kind: Kind, rule: Rule) -> Finding:
    finding = kind.gather(case_of(rule))
    assert isinstance(finding, Finding)
    json.dumps(finding.evidence.statement)
    assert len(finding.evidence.statement) < 5000
    return finding


@pytest.mark.parametrize("name", WRONG)
def test_a_rule_that_does_wrong_never_passes(name: str) -> None:
    outcomes = {kind.kind: found(kind, WRONG[name]).evidence.status for kind in KINDS}
    assert {outcomes["purity"], outcomes["float64"]} & {Status.REFUTED, Status.ERROR}, outcomes


@pytest.mark.parametrize("name", RIGHT)
def test_a_rule_that_is_right_in_an_unusual_way_passes(name: str) -> None:
    for kind in (purity.Purity(SIZES), FLOATS):
        evidence = found(kind, RIGHT[name]).evidence
        assert evidence.status is Status.HOLDS, evidence
    time.sleep(0.1 if name == "an alarm" else 0)
    for kind in KINDS[1:5]:
        assert found(kind, RIGHT[name]).evidence.status in (Status.HOLDS, Status.NOT_RUN)


def test_what_a_rule_refuses_by_our_own_types_counts_against_it() -> None:
    """The twin of a genuine refusal: a rule that takes floats of other scalars does not run on those."""
    genuine: Rule = lambda problem: each(right(problem), lambda a: np.array([[float(x) for x in row] for row in a]))  # noqa: E731
    assert found(KINDS[3], genuine).evidence.status is Status.NOT_RUN
    assert found(FLOATS, genuine).evidence.status is Status.HOLDS
    assert found(FLOATS, wrong_late).evidence.status is Status.ERROR


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_a_process_is_the_rules_failure(error: type[BaseException]) -> None:
    evidence = found(KINDS[0], raises(error)).evidence
    assert (evidence.status, evidence.cause) == (Status.ERROR, Cause.FAILED)


@pytest.mark.parametrize("swallowed", [False, True])
def test_an_interrupt_of_the_user_is_no_failure_of_the_rule(swallowed: bool) -> None:
    def interrupted(problem: Problem) -> Any:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        except BaseException:
            if not swallowed:
                raise
        return right(problem)

    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            found(FLOATS, interrupted)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_alarm_of_the_caller_goes_on() -> None:
    class Late(BaseException):
        pass

    def handler(*arguments: Any) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, handler)
    timer = signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(Late):
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                found(FLOATS, doing(lambda p: signal.setitimer(signal.ITIMER_REAL, 0)))
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def test_what_is_kept_of_output_is_bounded() -> None:
    def loud(problem: Problem) -> Any:
        for _ in range(100):
            print("x" * 10**5)
        return right(problem)

    details = found(KINDS[0], loud).evidence.details
    assert 0 < len(details["printed"]) <= 2000


def test_a_network_is_as_it_was_after_a_rule_changed_it() -> None:
    network = Network()
    act: Rule = doing(lambda p: object.__setattr__(p.network, "activation", None))
    assert FLOATS.gather(Case(as_rule(act, claims=[Exact()]), Exact(), network)).evidence.status is Status.ERROR
    assert network == Network()


def test_memory_that_is_not_there_is_no_result() -> None:
    unreadable: Rule = returns(lambda g: each(g, lambda a: ctypes.c_double(1.0)))
    assert found(KINDS[0], unreadable).evidence.cause is Cause.MALFORMED
