"""Printing of a counterexample as a standalone NumPy program.

The program imports nothing but NumPy, and a user's own network if its source cannot be inlined. It computes the true
entry from the forward pass alone, by the complex step (Squire and Trapp 1998): it moves the parameter's entry by
1e-30 i in the uses that the claim counts, and reads off the imaginary part of the loss. No difference cancels. A
program for a user's own network is run first, and printed only if it finds the true entry.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import sys
from typing import Any

import numpy as np

from ..evidence.base import Case
from ..reference.claims import Chunked, Claim, Exact, Settings, Truncated, Windowed
from ..reference.network import RecurrentNetwork
from ..reference.networks import start
from ..reference.networks.batch import Batch
from ..reference.problem import Problem
from ..reference.tree import children, flatten, path_name
from ..reference.wanted import INITIAL_STATE, INPUTS, PARAMETERS, kind_of
from .equations import forward_lines, target
from .origins import constructor, expression, importable, importing, importing_instance, shipped
from .source import FUNCTIONS, LOSSES, OUTPUTS, array_lines, assignments, comment, function, nest_lines, statement, text


def _keeps(claim: Claim) -> str | None:
    if isinstance(claim, Exact):
        return "True"
    if isinstance(claim, Truncated):
        return f"k < {claim.tau}"
    if isinstance(claim, Chunked):
        return f"k <= (t - 1) % {claim.length}"
    if isinstance(claim, Windowed):
        return f"k < {claim.horizon} - (min(-(-t // {claim.stride}) * {claim.stride}, T) - t)"
    return None


def snippet(
    case: Case, problem: Problem, settings: Settings, entry: str, got: str, expected: str, *, dtype: str = "float64"
) -> str:
    """Return the program of a counterexample.

    A program that cannot compute the true entry from a forward pass states the entry, with the reason.

    Args:
        case: The rule and its claim.
        problem: The problem of the counterexample.
        settings: The rule's keyword arguments.
        entry: The name of the wrong entry, such as R[0,1].
        got: The rule's number.
        expected: The true number.
        dtype: The format of the rule's inputs. Both formats hold the program's numbers exactly.

    Returns:
        The source of the program.
    """
    network, claim = _of_one(problem), case.claim.bind(settings)
    name, index = _place(problem, entry)
    keeps = _keeps(claim)
    spoken = problem.network
    head = [*comment(f"{spoken.name}: {spoken}. {problem.sizes}. Claim: {claim}."), *_numbers(problem)]
    called = ", ".join(["problem", *(f"{k}={v}" for k, v in settings.items())])
    of = "expectation over the noise of the " if case.rule.averaged else ""
    tail = [
        *comment(f"The {of}result of {case.rule.name}({called}){_taken(problem, name)}[{index or '()'}]:"),
        f"got = {_literal(got)}",
        *_from_the_rule(case, problem, settings, entry, dtype),
        *statement(f"print({f'{entry}: true'!r}, true, {f' {case.rule.name}'!r}, got, ' off by', abs(got - true))"),
    ]
    if keeps is None:
        why = comment(
            "The number that the rule claims to return, to 20 digits. The claim is about another rule, not a loss."
        )
    elif shipped(network):
        return text(
            [
                "import numpy as np",
                "",
                *head,
                *_forward(network, _time(problem)),
                *_true_entry(problem, keeps, entry),
                *tail,
            ]
        )
    else:
        for first, last in _given_by(network):
            program = text(
                [*first, "", *head, *last, *_of_network(problem), *_true_entry(problem, keeps, entry), *tail]
            )
            if _shows(program, network, expected, got):
                return program
        why = comment(
            "Both numbers are from the audit, since the network's source could not be inlined or imported here. "
            "To recompute the true one, run the network's own forward pass on these numbers."
        )
    true = f"true = {_literal(expected)}  # {entry}"
    return text(["import numpy as np", "", *head, *why, true, *tail])


def _of_one(problem: Problem) -> RecurrentNetwork:
    """Return the network of one sequence of a batch, or the problem's own."""
    network = problem.network
    return network.network if isinstance(network, Batch) else network


def _time(problem: Problem) -> str:
    """Return the indices of a step of a sequence, as source."""
    return "t, n" if isinstance(problem.network, Batch) else "t"


def _place(problem: Problem, entry: str) -> tuple[str, str]:
    """Split the name of an entry: R[0,1] into ("R", "0,1"), initial_state[h][0] into ("initial_state[h]", "0")."""
    names = [name for name in problem.arrays() if entry == name or entry.startswith(f"{name}[")]
    name = max(names, key=len)
    return name, entry.removeprefix(name).strip("[]")


def _taken(problem: Problem, name: str) -> str:
    """Return the source that takes an array, by its name, out of a rule's result: ['initial_state']['h']."""
    if kind_of(name) != INITIAL_STATE:
        return f"[{name!r}]"
    return f"[{INITIAL_STATE!r}]{_within_state(problem, name)}"


def _within_state(problem: Problem, name: str) -> str:
    """Return the source that takes an array out of the initial state, by its name; empty where it is all of it."""
    paths = {path_name(INITIAL_STATE, path): path for path, _ in flatten(problem.initial_state)}
    return "".join(f"[{key!r}]" for key in paths[name])


def _index(index: str) -> str:
    return f"({index}{'' if ',' in index or not index else ','})"


def _numbers(problem: Problem) -> list[str]:
    arrays = problem.arrays()
    parameters = {key: arrays.pop(key) for key in problem.parameters}
    lines: list[str] = []
    if isinstance(problem.network, Batch):
        arrays |= problem.network.arrays(problem)
    if shipped(_of_one(problem)) and all(key.isidentifier() for key in parameters):
        lines += assignments(parameters)
        lines += statement(f"parameters = {{{', '.join(f'{key!r}: {key}' for key in parameters)}}}")
    else:  # a user's parameters may have any name
        lines.append("parameters = {")
        for key, value in parameters.items():
            lines += array_lines(f"    {key!r}: ", value, ",")
        lines.append("}")
    if children(problem.initial_state) is not None:
        lines += nest_lines("initial_state = ", problem.initial_state)
        arrays = {key: array for key, array in arrays.items() if not key.startswith("initial_state")}
    return [*lines, *assignments(arrays), f"T = {problem.T}", ""]


def _forward(network: Any, time: str) -> list[str]:
    return [
        function(FUNCTIONS[network.activation.name], "f", "s"),
        function(OUTPUTS[network.head.output.name], "g", "u"),
        "def loss(y, yhat): return " + LOSSES[network.head.loss.name],
        *forward_lines(network, time),
    ]


def _of_network(problem: Problem) -> list[str]:
    time = _time(problem)
    return [
        "step = network.step",
        f"def loss_at({time}, p, a): return network.loss_value(network.readout(p, a), {target(time)})",
    ]


_AS_COMPLEX = [
    "def as_complex(a):",
    "    if isinstance(a, dict):",
    "        return {key: as_complex(part) for key, part in a.items()}",
    "    if isinstance(a, (tuple, list)):",
    "        return type(a)(map(as_complex, a))",
    "    return a.astype(complex)",
    "",
]
_OF_ONE = [
    "def state_of(n, a):",
    "    if isinstance(a, dict):",
    "        return {key: state_of(n, part) for key, part in a.items()}",
    "    if isinstance(a, (tuple, list)):",
    "        return type(a)(state_of(n, part) for part in a)",
    "    return a[n]",
    "",
]


def _true_entry(problem: Problem, keeps: str, entry: str) -> list[str]:
    name, index = _place(problem, entry)
    nested, batch = children(problem.initial_state) is not None, isinstance(problem.network, Batch)
    state = "initial_state"
    if batch:
        state = "state_of(n, initial_state)" if nested else "initial_state[n]"
    at_start, at_step, x = _moved(problem, name)
    inner = [
        "for t in range(1, T + 1):",
        f"    a = as_complex({state})" if nested else f"    a = {state}.astype(complex)",
        *(f"    {line}" for line in at_start),
        "    for s in range(1, t + 1):",
        "        p = {n: value.astype(complex) for n, value in parameters.items()}",
        *(f"        {line}" for line in at_step),
        *(["        a = network.initial_state(p) if s == 1 else a"] if start.is_learned(_of_one(problem)) else []),
        f"        a = step(p, a, {x})",
        f"    total += loss_weights[{'t - 1, n' if batch else 't - 1'}] * loss_at({_time(problem)}, p, a).imag / 1e-30",
    ]
    if batch:
        inner = ["for n in range(inputs.shape[1]):", *(f"    {line}" for line in inner)]
    return [
        *(_AS_COMPLEX if nested else []),
        *(_OF_ONE if nested and batch else []),
        f"# Does the loss at t count {_USED[kind_of(name)]}?",
        f"def keeps(t, k): return {keeps}",
        "",
        "def true_entry(name, index):",
        "    total = 0.0",
        *(f"    {line}" for line in inner),
        "    return total",
        "",
        f"true = true_entry({name!r}, {_index(index)})",
    ]


_USED = {
    PARAMETERS: "the use of the parameters at t - k",
    INPUTS: "the input x(t - k)",
    INITIAL_STATE: "the initial state, which step 1 uses, so that k is t - 1",
}
"""Words for what a lag of the loss counts, by the kind of the array that is moved."""


def _moved(problem: Problem, name: str) -> tuple[list[str], list[str], str]:
    """Return the lines that move the entry, before the first step and at each step, and the input of a step."""
    kind = kind_of(name)
    x = "inputs[s - 1, n]" if isinstance(problem.network, Batch) else "inputs[s - 1]"
    if kind == INITIAL_STATE:
        return ["if keeps(t, t - 1):", f"    a{_within_state(problem, name)}[index] += 1e-30j"], [], x
    if kind == INPUTS:
        moves = [f"x = {x}.astype(complex)", "if s - 1 == index[0] and keeps(t, t - s):"]
        return [], [*moves, "    x[index[1:]] += 1e-30j"], "x"
    return [], ["if keeps(t, t - s):", "    p[name][index] += 1e-30j"], x


def _given_by(network: RecurrentNetwork) -> list[tuple[list[str], list[str]]]:
    """Return the ways to give a program the user's network, unchecked: inline source first, then an import.

    Each way is a pair: the lines at the program's top, and the lines that make `network`.
    """
    kind, made, ways = type(network), constructor(network), []
    if named := importing_instance(network):
        lines, name = named
        ways.append(([*lines, "import numpy as np"], [f"network = {name}"]))
    if made is None:
        return ways
    with contextlib.suppress(OSError, TypeError):
        source = inspect.cleandoc("\n" + inspect.getsource(kind)).split("\n")
        first = [
            "from __future__ import annotations", "", "import dataclasses", "from dataclasses import dataclass", "",
            "import numpy as np",
        ]  # fmt: skip
        ways.append((first, [*source, "", f"network = {made}"]))
    if imports := importing(kind.__module__, kind.__qualname__, kind):
        ways.append(([*imports, "import numpy as np"], [f"network = {made}"]))
    return ways


def _shows(program: str, network: RecurrentNetwork, expected: str, got: str) -> bool:
    """Return whether the program runs and finds the expected entry, to a tenth of the gap that it is to show."""
    space: dict[str, Any] = {}
    module, path = type(network).__module__, list(sys.path)
    name = importable(module)
    alias = name if name and name not in sys.modules and module in sys.modules else None
    if alias:
        sys.modules[alias] = sys.modules[module]
    try:
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            exec(compile(program, "counterexample", "exec"), space)
            off, gap = abs(space["true"] - float(expected)), abs(float(got) - float(expected))
            return bool(off <= 0.1 * gap if np.isfinite(gap) else off <= 1e-6 * (1 + abs(float(expected))))
    except Exception:
        return False
    finally:
        sys.path[:] = path
        if alias:
            del sys.modules[alias]


def _from_the_rule(case: Case, problem: Problem, settings: Settings, entry: str, dtype: str) -> list[str]:
    """Return commented-out lines that run the rule itself on these numbers."""
    rule, network, called = case.rule, _of_one(problem), case.rule.target
    module, _, qualname = rule.origin.partition(":")
    bound = called if isinstance(called, functools.partial) else None
    imports = importing(module, qualname, bound.func if bound else called)
    where = "" if imports else f", with {qualname} as the audited rule, which cannot be imported by name"
    imports = list(imports or [])
    if shipped(network):
        given = expression(network)
    elif (made := constructor(network)) and (
        own := importing(type(network).__module__, type(network).__qualname__, type(network))
    ):
        imports += [line for line in own if line not in imports]
        given = made
    elif named := importing_instance(network):
        lines, given = named
        imports += [line for line in lines if line not in imports]
    else:
        given = "network"
        where += f"; network is {network!r}"
    chosen = [f"{k}={v!r}" for k, v in settings.items()]
    kept = [f"{k}={v!r}" for k, v in bound.keywords.items() if k not in settings] if bound else []
    if rule.of_class:
        runner = "run_online" if rule.online else "run_passes"
        imports.append(f"from gradcheck.algorithms import {runner}")
        made = f"{qualname}({', '.join(chosen)})" if isinstance(called, type) else qualname
        call = f"{runner}({made}, problem, weighted={case.weighted})"
    else:
        before = map(repr, bound.args) if bound else ()
        call = f"{qualname}({', '.join([*before, 'problem', *kept, *chosen])})"
    if rule.averaged or rule.stochastic:
        by = "mean" if rule.averaged else "one_call"
        imports.append(f"from gradcheck.rules.expectation import {by}")
        target = f"functools.partial({qualname}, {', '.join(kept)})" if bound and kept else qualname
        imports += ["import functools"] if bound and kept else []
        call = f"{by}({', '.join([target, 'problem', *chosen])})"
    name, index = _place(problem, entry)
    made = f"gradcheck.Problem(parameters, inputs, targets, initial_state, loss_weights, {given})"
    if isinstance(problem.network, Batch):
        options = ", ".join(f"{key}={value!r}" for key, value in problem.network.chosen().items())
        imports += statement(f"batch = gradcheck.Batch({given}{', ' * bool(options)}{options})")
        weights = "" if (problem.loss_weights == 1).all() else f"np.array({problem.loss_weights.tolist()}), "
        flat = "inputs.reshape(T, -1), targets.reshape(T, -1)"
        made = f"gradcheck.Problem(parameters, {flat}, initial_state, {weights}network=batch)"
    made += f".astype({dtype!r})" if dtype != "float64" else ""
    if isinstance(problem.network, Batch):
        made = f"batch.presented({made})"
    return [
        *comment(f"The same from the rule itself, which needs gradcheck{where}:"),
        *(f"# {line}" for line in ["import gradcheck", *imports]),
        *statement(f"problem = {made}", "# "),
        *statement(f"got = {call}{_taken(problem, name)}[{index or '()'}]", "# "),
    ]


def _literal(number: str) -> str:
    return f"float({number!r})" if number in ("nan", "inf", "-inf") else number.strip()
