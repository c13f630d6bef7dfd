"""Steps of a rule given as passes, each from memories: what it carries forwards, what a step keeps, and the cotangent.

A pass may not change what it is given, for a kept value that changes before it is used is another value: its arrays are
read-only here. So which of the arrays of two steps are one does not matter, as long as the code does not ask: see
`sameness`. Tuples, lists and dicts are never shared with what a step keeps; see `algorithms.passes.detached`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ....algorithms.passes import detached, last_cotangent
from ....reference.noise import Noise
from ....reference.tree import children
from ....reference.typing import Array
from .memory import Memory, Rebuilt, attributes, rebuilt, taken_apart
from .stepping import Contribution, Stepped, Stepper
from .trust import Unproved


class PassesStepper(Stepper):
    """A rule given as passes on one network and number system; `step` is a step forwards."""

    def step(self, memory: Memory, x: Array, y: Array, weight: Any, noise: Noise | None = None) -> Stepped:
        return Stepped(self.forward(memory, x)[0], None)

    def finish(self, memory: Memory) -> Contribution | None:
        return None

    def forward(self, memory: Memory, x: Array) -> tuple[Memory, Memory]:
        """Return the memory after a step forwards, and what the step kept.

        Args:
            memory: The memory before.
            x: The input, (D,).

        Raises:
            Unproved: It changes something, or keeps something outside what it returns.
        """
        instance, made = self._instance(memory)
        given = (dict(made.own), made.state)
        before = self._reachable(memory), self._form(given)
        with _read_only(made):
            result = instance.forward(made.state, x.copy())
        if not isinstance(result, tuple) or len(result) != 2:
            raise Unproved("forward returned no pair of a state and what it keeps")
        after, kept = self._memory(instance, result[0]), self._kept(result[1])
        self._require_unchanged("forward", before, (self._reachable(memory), self._form(given)))
        return after, kept

    def end(self, memory: Memory) -> Memory:
        """Return the cotangent after the last step, from the memory after it."""
        instance, made = self._instance(memory)
        before = self._reachable(memory)
        cotangent = last_cotangent(instance, made.state, self.problem.initial_state)
        after = self._cotangent(instance, cotangent)
        if self._reachable(memory) != before:
            raise Unproved("end changes something outside the state and the rule's own attributes")
        return after

    def backward(self, cotangent: Memory, kept: Memory, y: Array, weight: Any) -> tuple[Memory, Contribution | None]:
        """Return the cotangent one step earlier, and what the step contributes.

        Args:
            cotangent: The cotangent after the step, with the rule's attributes.
            kept: What the step kept.
            y: The target, (K,).
            weight: The loss weight.

        Raises:
            Unproved: It changes something, or keeps something outside what it returns.
        """
        instance, made = self._instance(cotangent)
        of_step = rebuilt(kept, kept.values, self.field, self.network)
        given = (dict(made.own), (made.state, of_step.state))
        before = self._reachable(cotangent, kept), self._form(given)
        with _read_only(made, of_step):
            result = instance.backward(made.state, of_step.state, y.copy(), *([weight] if self.weighted else []))
        if not isinstance(result, tuple) or len(result) != 2:
            raise Unproved("backward returned no pair of a cotangent and a contribution")
        after, contribution = self._cotangent(instance, result[0]), self._contribution(result[1])
        self._require_unchanged("backward", before, (self._reachable(cotangent, kept), self._form(given)))
        return after, contribution

    def last(self, cotangent: Memory) -> Contribution | None:
        """Return what `finish` would contribute from a cotangent."""
        return super().finish(cotangent)

    def _kept(self, value: Any) -> Memory:
        memory = taken_apart(({}, detached(value)), self.field, self.network, "kept")
        if _holds_objects(memory.template):
            raise Unproved("kept holds an object; keep arrays in tuples, lists and dicts")
        return memory

    def _cotangent(self, instance: Any, cotangent: Any) -> Memory:
        return taken_apart((attributes(instance, "self"), cotangent), self.field, self.network, "cotangent")

    def _form(self, given: Any) -> Any:
        memory = taken_apart(given, self.field, self.network)
        return memory.form, memory.values, _objects(given)

    def _require_unchanged(self, method: str, before: Any, after: Any) -> None:
        if before[0] != after[0]:
            raise Unproved(f"{method} changes something outside what it returns and the rule's own attributes")
        if before[1] != after[1]:
            raise Unproved(_CHANGES.format(method))


@contextlib.contextmanager
def _read_only(*made: Rebuilt) -> Iterator[None]:
    """Let nothing be written into arrays in this context."""
    for array in (array for each in made for array, _ in each.arrays):
        array.flags.writeable = False
    try:
        yield
    except ValueError as error:
        if "read-only" in str(error):
            raise Unproved(_CHANGES.format("a pass")) from None
        raise


_CHANGES = "{} changes what it is given; let it make new arrays, lists and dicts"


def _holds_objects(template: Any) -> bool:
    """Return True for a template that has an object with attributes, or a container that is no tuple, list or dict."""
    if not isinstance(template, tuple):
        return False
    if template[:1] == ("object",) or template[:1] in (("sequence",), ("mapping",)) and template[1] not in _PLAIN:
        return True
    return any(map(_holds_objects, template))


_PLAIN = (tuple, list, dict)


def _objects(nest: Any) -> list[int]:
    """Return which objects are where in a nest."""
    return [id(nest), *(place for _, part in children(nest) or () for place in _objects(part))]
