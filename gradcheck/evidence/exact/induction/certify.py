"""Folders of certificates: a proof for every T at each network, shape and setting, one file each."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....reference.claims import Exact
from ....reference.errors import GradcheckError
from ....reference.networks.base import RecurrentNetwork, Sizes
from ....reference.networks.sizes import fitting
from ....reference.networks.state import state_of
from ....rules.adapt import as_rule
from ....store.files import write_text
from ...base import Case
from ...sizes import possible
from ..formal import LARGEST_T, families
from .certificate import certificate
from .kind import excluded
from .proof import Subject, prove

SHAPES = ((1, 1, 1), (2, 2, 1))
"""The shapes (I, D, K) of certificates if none are given."""

PASSES = "certificates are for online rules, and this one is given as passes"


@dataclass(frozen=True)
class Certified:
    """One certificate, or the reason why there is none.

    Attributes:
        network: The network, as printed.
        shape: The shape (I, D, K).
        settings: The settings of the rule.
        path: The file; None if there is none.
        reason: The reason why there is none; empty if there is one.
    """

    network: str
    shape: tuple[int, int, int]
    settings: dict[str, int]
    path: Path | None = None
    reason: str = ""

    def __str__(self) -> str:
        I, D, K = self.shape
        chosen = "".join(f", {name}={value}" for name, value in self.settings.items())
        at = f"{self.network} at I={I}, D={D}, K={K}{chosen}"
        return f"wrote {self.path}" if self.path else f"no certificate on {at}: {self.reason}"


def certify(
    target: Any,
    folder: str | Path,
    *,
    networks: Sequence[RecurrentNetwork] | None = None,
    shapes: Sequence[tuple[int, int, int]] = SHAPES,
    progress: Callable[[Certified], None] = lambda _: None,
) -> list[Certified]:
    """Prove that an online rule returns the gradient for every T, and write each proof as a certificate.

    The rule runs in this process. The program `check.py` beside this file checks the certificates again.

    Args:
        target: An online rule: a class or an instance.
        folder: Where to write; it is made if it does not exist.
        networks: The networks; those that the rule declares if None, one of each kind.
        shapes: The shapes (I, D, K).
        progress: Called with each certificate.

    Returns:
        The certificates, with the reasons for those that are missing.

    Raises:
        GradcheckError: The rule is none, or a file cannot be written.
    """
    rule = as_rule(target, networks=networks)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GradcheckError(f"cannot make the folder {str(folder)!r}: {error.strerror}; name another") from None
    made = []
    for number, case in enumerate(_cases(rule)):
        for size in possible(case.network, (Sizes(LARGEST_T, *shape) for shape in shapes)):
            at = fitting(case.network, size)
            for settings in rule.settings(LARGEST_T):
                made.append(_certified(case, number, at, settings, Path(folder)))
                progress(made[-1])
    return made


def _cases(rule: Any) -> Iterator[Case]:
    """Yield the claim on one network of each kind: the others are covered where their functions are left undefined."""
    seen = set()
    for network in rule.declaration.networks:
        key = state_of(families(network)[0][1])
        if key not in seen:
            seen.add(key)
            yield Case(rule, Exact(), network)


def _certified(case: Case, number: int, size: Sizes, settings: dict[str, int], folder: Path) -> Certified:
    shape, printed = (size.I, size.D, size.K), str(case.network)
    reason = excluded(case) or (PASSES if case.rule.passes else "")
    for _, network in () if reason else families(case.network):
        subject = Subject(case, network, settings)
        try:
            content = certificate(subject, size, prove(subject, size))
        except GradcheckError as error:
            reason = str(error)
            continue
        chosen = itertools.chain.from_iterable(settings.items())
        name = "-".join(map(str, (case.rule.name, number, "x".join(map(str, shape)), *chosen)))
        path = write_text(folder / f"{name}.json", json.dumps(content, separators=(",", ":")))
        return Certified(printed, shape, settings, path)
    return Certified(printed, shape, settings, reason=reason)
