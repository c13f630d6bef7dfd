"""List of the shipped rules and of the claims, for a terminal."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from gradcheck.reference.claims import CLAIMS, Equals, Pure, Stable

from ..algorithms import CATALOGUE
from ..rules.adapt import as_rule

_COLUMN = 20


def print_listing(console: Console) -> None:
    """Print the shipped rules with claims and networks, then the claims."""
    console.print(Text("Shipped rules", style="bold").append("  (gradcheck audit NAME)", style="dim"))
    for target in CATALOGUE:
        rule = as_rule(target)
        declared = [", ".join(map(str, rule.declaration.claims)) + "; " + _networks(rule.declaration.networks)]
        _entry(console, rule.name, [rule.summary, *declared])
    console.print()
    console.print(Text("Claims", style="bold").append("  (--claim CLAIM, with numbers for names)", style="dim"))
    for claim in CLAIMS.values():
        names = ", ".join(claim.arguments())
        text = (claim.__doc__ or "").strip().split("\n\n")[0]
        if claim is Pure:
            text += " Judged of every rule."
        elif claim is Stable:
            text += " Judged beside every claim about the result."
        elif claim is Equals:
            text += " In Python only."
        elif not claim.judged:
            text += " Not judged by this version."
        _entry(console, f"{claim.kind}({names})" if names else claim.kind, [text])


def _networks(networks: Sequence[Any]) -> str:
    if len(networks) == 1:
        return f"{networks[0].name}: {networks[0]}"
    counts = Counter(network.name for network in networks)
    return ", ".join(f"{number} networks, {name}" for name, number in counts.items())


def _entry(console: Console, name: str, paragraphs: Sequence[str]) -> None:
    head = Text(f"  {name:<{_COLUMN - 2}}", style="green")
    width = max(30, console.width - _COLUMN)
    lines = [
        Text(line, style="" if number == 0 else "dim")
        for number, paragraph in enumerate(paragraphs)
        for line in textwrap.wrap(" ".join(paragraph.split()), width, break_on_hyphens=False)
    ]
    if len(name) > _COLUMN - 4:
        console.print(head)
        head = Text(" " * _COLUMN)
    console.print(head.append(lines[0] if lines else ""), soft_wrap=True)
    for line in lines[1:]:
        console.print(Text(" " * _COLUMN).append(line), soft_wrap=True)
