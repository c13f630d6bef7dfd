"""Base of faults that common problems do not show: a right rule, wrong at some sizes, values, ranges or calls."""

from __future__ import annotations

from typing import Any

from ..reference.network import RecurrentNetwork, Sizes
from .fault import Fault
from .patched import Change

RESULT = '    return net.gradient(backpropagate(problem.parameters["R"], net.slope, net.d))\n'
NUMPY = Change(
    "bptt", "from __future__ import annotations\n", "from __future__ import annotations\n\nimport numpy as np\n"
)
FLOATS = 'problem.inputs.dtype.kind == "f"'


def gradient_then(body: str) -> tuple[Change, ...]:
    """Return changes that give the gradient the name `gradient`, and go on with a body.

    Args:
        body: Lines of `bptt`, indented by four, that return the result.
    """
    head = '    R, x, y = problem.parameters["R"], problem.inputs, problem.targets\n'
    return NUMPY, Change("bptt", RESULT, head + RESULT.replace("    return", "    gradient =") + body)


def hidden(
    id: str, category: str, effect: str, found_by: str, changes: tuple[Change, ...], *, sizes: Sizes | None = None,
    change: str = "", seen: str = "", networks: tuple[RecurrentNetwork, ...] = (), breaks: str = "result",
) -> Fault:  # fmt: skip
    """Return a fault of `bptt` that a search of the harness finds.

    Args:
        id: Its name in kebab case.
        category: The group of the gallery.
        effect: A sentence on the wrong gradient.
        found_by: The column of the matrix that catches it.
        changes: The mistake.
        sizes: Sizes of a problem that shows it.
        change: The structure of that problem's values; see `gradcheck.problems.structured`.
        seen: A project with this mistake.
        networks: Networks on which it shows.
        breaks: The claim that it refutes.
    """
    where: dict[str, Any] = {"sizes": sizes, "change": change}
    return Fault(
        id, category, effect, "bptt", changes, seen, breaks=breaks, networks=networks, values=True, found_by=found_by,
        **where,
    )  # fmt: skip
