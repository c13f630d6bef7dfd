"""The branches of a function: what there is to run in it.

A branch is a line, or an outcome of a test: where a conditional jump of the bytecode goes on. Both are needed: a test
that is always true skips nothing and leaves no line behind. Branches that compute nothing count as run: those that
lead to an exception whatever happens, and those that only warn, print, log or assert. The second round of a loop is a
branch too: one block alone does not show how blocks join. So is a call of a function by itself, twice deep.

A branch is a tuple of plain values, alike in every process of one version of Python: (line,) for a line, and (line,
column, end line, end column, outcome, next line) for a test, by the place of what is tested. A comparison within arrays
is a test too, see `compared`.
"""

from __future__ import annotations

import ast
import dis
import functools
import itertools
import linecache
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, TypeAlias

Branch: TypeAlias = tuple[Any, ...]
_INERT_FUNCTIONS = {"print", "warn"}
_LOGGERS = {"warnings", "logging", "logger", "_logger", "LOGGER", "log", "_log"}
_RAISES = {"RAISE_VARARGS", "RERAISE"}
_RETURNS = {"RETURN_VALUE", "RETURN_CONST", "YIELD_VALUE", "RETURN_GENERATOR"}
_MOST_STEPS = 500
"""Instructions looked at to see whether a branch leads to an exception alone."""


@dataclass
class Branches:
    """The branches of one code object.

    Attributes:
        lines: Its lines that compute.
        jumps: Offset of each instruction at which a test is decided to its outcomes: offset of the next instruction to
            the branch, None where that counts as run.
        tested: Lines that hold a test.
        rounds: Offset of each `for` loop's head to the branch of its second round.
        back: Offset to which each `while` loop jumps back, to the branch of its second round.
        deciding: Offset of each instruction right before a test, whose result decides it.
        inert: Lines that compute nothing, and those with a test that leads to an exception or a message.
        wanted: All branches.
    """

    lines: set[int] = field(default_factory=set)
    jumps: dict[int, dict[int, Branch | None]] = field(default_factory=dict)
    tested: set[int] = field(default_factory=set)
    rounds: dict[int, Branch] = field(default_factory=dict)
    back: dict[int, Branch] = field(default_factory=dict)
    deciding: set[int] = field(default_factory=set)
    inert: set[int] = field(default_factory=set)
    wanted: set[Branch] = field(default_factory=set)


AGAIN = "again"
"""Outcome of the head of a loop: there is a second round."""
ITSELF, DEEPER = "itself", "deeper"
"""Outcomes of a function that calls itself: it does, and that call does so too."""
HELD, FAILED = "held", "failed"
"""Outcomes of a comparison within arrays: in some entry it held, in some it failed."""


def compared(code: CodeType, offset: int, line: int, outcome: bool) -> Branch:
    """Return the branch of a comparison within arrays, by the place of the instruction that asked for it.

    Args:
        code: The code object.
        offset: The offset of the instruction.
        line: The line, for code whose places are not known.
        outcome: How the comparison came out.
    """
    place = next(itertools.islice(code.co_positions(), offset // 2, None), None)
    first, last, column, end = place or (None,) * 4
    return first or line, column or 0, last or line, end or 0, HELD if outcome else FAILED, 0


def branches_of(code: CodeType) -> Branches:
    """Return the branches of a code object; functions that are defined in it have their own.

    Args:
        code: The code of a function, a lambda or a comprehension.
    """
    source, found = _source(code.co_filename), Branches()
    instructions = list(dis.get_instructions(code))
    by_offset = {each.offset: number for number, each in enumerate(instructions)}
    back = {each.argval for each in instructions if "JUMP_BACKWARD" in each.opname}
    for number, each in enumerate(instructions):
        if not _tests(each) or number + 1 == len(instructions):
            continue
        if number and instructions[number - 1].opname == "WITH_EXCEPT_START":
            continue
        place = each.positions
        if place is None or place.lineno is None:
            continue
        where = (place.lineno, place.col_offset, place.end_lineno, place.end_col_offset)
        outcomes: dict[int, Branch | None] = {}
        for offset, jumped in ((instructions[number + 1].offset, False), (each.argval, True)):
            outcome = _outcome(each.opname, jumped)
            inert = _only_raises(instructions, by_offset, offset) or source.inert_test(where)
            if inert:
                found.inert.add(place.lineno)
            leads = _line_at(instructions, by_offset[offset], place.lineno if each.opname == "FOR_ITER" else 0)
            outcomes[offset] = None if inert or outcome is None else (*where, outcome, leads)
        found.tested.add(place.lineno)
        first = number
        while first and instructions[first - 1].opname == "EXTENDED_ARG":
            first -= 1
        found.deciding.update(each.offset for each in instructions[max(first - 1, 0) : first])
        for before in range(first, number + 1):
            found.jumps[instructions[before].offset] = outcomes
        offsets = [instructions[before].offset for before in range(first, number + 1)]
        entered = outcomes[instructions[number + 1].offset]
        if each.opname == "FOR_ITER" and entered and back.intersection(offsets) and not source.is_single(where):
            found.rounds.update(dict.fromkeys(offsets, (*where, AGAIN, entered[-1])))
        found.wanted.update(branch for branch in outcomes.values() if branch is not None)
    found.back = _back_jumps(instructions, source)
    found.wanted.update([*found.rounds.values(), *found.back.values()])
    own = {line for _, _, line in code.co_lines() if line is not None and line > 0}
    found.lines = {line for line in own if line not in source.inert_lines}
    found.inert |= own - found.lines
    if code.co_name != "<module>":
        found.lines.discard(code.co_firstlineno)
    found.wanted.update((line,) for line in found.lines)
    return found


def _back_jumps(instructions: list[dis.Instruction], source: _Source) -> dict[int, Branch]:
    """Return each offset to which a `while` loop jumps back, with the branch of the loop's second round."""
    found: dict[int, Branch] = {}
    heads = {each.offset for each in instructions if each.opname == "FOR_ITER"}
    for each in instructions:
        place = each.positions
        jumps = "JUMP_BACKWARD" in each.opname and "NO_INTERRUPT" not in each.opname
        if jumps and each.argval not in heads and place is not None and place.lineno is not None:
            loop = source.while_loop(place.lineno, place.col_offset or 0)
            if loop is not None:
                found[each.argval] = loop
    return found


def _line_at(instructions: list[dis.Instruction], number: int, but: int) -> int:
    """Return the line of the first instruction from this one on that is on another line than `but`."""
    lines = (each.positions.lineno for each in instructions[number:] if each.positions is not None)
    return next((line for line in lines if line is not None and line != but), 0)


def _tests(instruction: dis.Instruction) -> bool:
    return ("JUMP" in instruction.opname and "_IF_" in instruction.opname) or instruction.opname == "FOR_ITER"


def _outcome(opname: str, jumped: bool) -> str | None:
    """Return the outcome of a test in a word; None for the end of a loop, to which every loop comes."""
    if opname == "FOR_ITER":
        return None if jumped else "entered"
    if "NONE" in opname:
        return "not None" if jumped == ("NOT_NONE" in opname) else "None"
    return "true" if jumped == ("IF_TRUE" in opname) else "false"


def _only_raises(instructions: list[dis.Instruction], by_offset: dict[int, int], start: int) -> bool:
    """Return True if every way on from this offset ends in an exception."""
    waiting, seen = [by_offset[start]], set[int]()
    while waiting:
        number = waiting.pop()
        if number in seen:
            continue
        seen.add(number)
        if len(seen) > _MOST_STEPS or number >= len(instructions):
            return False
        each = instructions[number]
        if each.opname in _RAISES:
            continue
        if each.opname in _RETURNS or "JUMP_BACKWARD" in each.opname:
            return False
        if "JUMP" in each.opname or each.opname == "FOR_ITER":
            waiting.append(by_offset[each.argval])
            if not _tests(each):
                continue
        waiting.append(number + 1)
    return True


class _Source:
    """The statements of a file that compute nothing.

    Attributes:
        inert_lines: Lines of statements that compute nothing.
    """

    def __init__(self, tree: ast.Module | None) -> None:
        self.inert_lines: set[int] = set()
        self._inert_tests: list[tuple[int, int, int, int]] = []
        self._single: set[tuple[Any, ...]] = set()
        self._while: list[Branch] = []
        if tree is not None:
            self._visit(tree)

    def inert_test(self, where: tuple[Any, ...]) -> bool:
        """Return True if neither side of the test at this place computes."""
        line, column, end, end_column = where
        return any((a, b) <= (line, column) and (end, end_column) <= (c, d) for a, b, c, d in self._inert_tests)

    def is_single(self, where: tuple[Any, ...]) -> bool:
        """Return True if the loop over what stands at this place has one round at most."""
        return where in self._single

    def while_loop(self, line: int, column: int) -> Branch | None:
        """Return the branch of the second round of the innermost `while` loop around a place, None if there is none."""
        around = [each for each in self._while if each[:2] <= (line, column) < each[2:4]]
        return max(around, default=None)

    def _visit(self, tree: ast.Module) -> None:
        for block in _blocks(tree):
            raising = isinstance(block[-1], ast.Raise) and not any(
                isinstance(each, (ast.Return, ast.Yield)) for statement in block for each in ast.walk(statement)
            )
            for statement in block:
                if raising or _inert(statement):
                    self.inert_lines.update(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and all(map(_inert, [*node.body, *node.orelse])):
                test = node.test
                self._inert_tests.append(
                    (node.lineno, node.col_offset, test.end_lineno or test.lineno, test.end_col_offset or 0)
                )
            loops = getattr(node, "generators", [node] if isinstance(node, ast.For) else [])
            if loops and all(_has_one_part(each.iter) for each in loops):
                self._single |= {_place(node), *(_place(each.iter) for each in loops)}  # by version of Python
            if isinstance(node, ast.While):
                self._while.append((*_place(node), AGAIN, node.body[0].lineno))
            if isinstance(node, ast.Assert):
                self._inert_tests.append(
                    (node.lineno, node.col_offset, node.end_lineno or node.lineno, node.end_col_offset or 0)
                )


def _has_one_part(over: ast.expr) -> bool:
    """Return True for an expression of one part at most: a literal, its items, or range(1)."""
    if isinstance(over, ast.Call):
        if isinstance(over.func, ast.Attribute) and over.func.attr in ("items", "keys", "values"):
            return isinstance(over.func.value, ast.Dict) and len(over.func.value.keys) < 2
        return isinstance(over.func, ast.Name) and over.func.id == "range" and ast.unparse(over) == "range(1)"
    parts = over.elts if isinstance(over, (ast.Tuple, ast.List, ast.Set)) else None
    return parts is not None and len(parts) < 2 and not any(isinstance(part, ast.Starred) for part in parts)


def _place(node: Any) -> tuple[Any, ...]:
    return tuple(getattr(node, name, None) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"))


def _blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield every list of statements."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block


def _inert(statement: ast.stmt) -> bool:
    """Return True for a statement that computes nothing: it raises, warns, prints, logs, asserts, or passes."""
    if isinstance(statement, (ast.Raise, ast.Assert, ast.Pass, ast.Global, ast.Nonlocal)):
        return True
    if isinstance(statement, ast.If):
        return all(map(_inert, [*statement.body, *statement.orelse]))
    if not isinstance(statement, ast.Expr):
        return False
    value = statement.value
    if isinstance(value, ast.Constant):
        return True
    if not isinstance(value, ast.Call):
        return False
    called = value.func
    if isinstance(called, ast.Attribute):  # not np.log(x, out=x), which computes
        return isinstance(called.value, ast.Name) and called.value.id in _LOGGERS
    return isinstance(called, ast.Name) and called.id in _INERT_FUNCTIONS


@functools.lru_cache(256)
def _source(filename: str) -> _Source:
    try:
        return _Source(ast.parse("".join(linecache.getlines(filename))))
    except (SyntaxError, ValueError, RecursionError):
        return _Source(None)
