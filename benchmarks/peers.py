"""A certified gradient against the gradient checkers of torch and JAX, on the same network and numbers.

What is certified is every entry: a ball that contains the true value, of a relative radius below 2^-16. `enclose`
finds the precision for that; float64 does here, and Arb takes over where it does not. The peers compare finite
differences with a tolerance, torch's of 10^-3 and 10^-5: its slow mode entry by entry, its fast mode and JAX's along
one direction per input. All in float64 and reverse mode, loss and defaults as their users have them; JAX's loss is
compiled before the clock starts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcheck.problems.lively import lively_problem
from gradcheck.reference.enclosure import FLOAT_BITS, Enclosure, enclose, midpoints
from gradcheck.reference.network import DEFAULT_NETWORK, Sizes
from gradcheck.reference.problem import Problem

from . import threads
from .frameworks import jax_arrays, jax_gradient, jax_loss, torch_gradient, torch_loss, torch_tensors
from .rows import Outcome, Row, Skipped, at_least, in_turn, require_same

RELATIVE_BITS = 16
SMALL, LARGE = Sizes(50, 32, 4, 4), Sizes(200, 64, 4, 4)


def certified(problem: Problem) -> Enclosure:
    """Balls around every entry. Raises `AssertionError` where one is wide."""
    found = enclose(problem, relative_bits=RELATIVE_BITS, first_bits=FLOAT_BITS)
    assert found.narrow, found.statement
    return found


def _prepared(sizes: Sizes, theirs: Callable[[Problem], dict[str, Any]]) -> tuple[Problem, str]:
    problem = lively_problem(DEFAULT_NETWORK, sizes, 0)
    found = certified(problem)
    require_same(theirs(problem), midpoints(found.gradient))
    return problem, f"certified at {found.bits} bits"


def torch_over_certified(sizes: Sizes, *, fast: bool, repeats: int) -> Callable[[], Outcome]:
    def run() -> Outcome:
        torch = threads.torch()
        problem, label = _prepared(sizes, lambda problem: torch_gradient(torch, problem)())
        loss, tensors = torch_loss(torch, problem), torch_tensors(torch, problem)

        def check() -> None:
            assert torch.autograd.gradcheck(loss, tensors, fast_mode=fast)

        labels = (f"torch gradcheck, {'fast' if fast else 'slow'}", label)
        return in_turn(check, lambda: certified(problem), labels, repeats=repeats, warm=fast)

    return run


def jax_over_certified(sizes: Sizes) -> Callable[[], Outcome]:
    def run() -> Outcome:
        jax = threads.jax()
        from jax.test_util import check_grads

        problem, label = _prepared(sizes, lambda problem: jax_gradient(jax, problem)())
        loss, arrays = jax.jit(jax_loss(jax, problem)), jax_arrays(jax, problem)

        def check() -> None:
            check_grads(loss, arrays, order=1, modes=("rev",))  # type: ignore[no-untyped-call]

        try:
            check()
        except AssertionError:
            raise Skipped("JAX's check rejects this right gradient at its default tolerance") from None
        return in_turn(check, lambda: certified(problem), ("JAX check_grads, jit", label))

    return run


def _rows(sizes: Sizes, slow_repeats: int) -> tuple[Row, ...]:
    at = f"T={sizes.T}, I={sizes.I}"
    slow = torch_over_certified(sizes, fast=False, repeats=slow_repeats)
    return (
        Row(f"torch gradcheck slow / certified gradient, {at}", at_least(100), slow),
        Row(
            f"torch gradcheck fast / certified gradient, {at}",
            at_least(1),
            torch_over_certified(sizes, fast=True, repeats=9),
        ),
        Row(f"JAX check_grads / certified gradient, {at}", at_least(1), jax_over_certified(sizes)),
    )


ROWS = (*_rows(SMALL, 3), *_rows(LARGE, 1))
