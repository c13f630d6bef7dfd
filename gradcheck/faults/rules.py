"""The gallery's wrong rules by id, for names such as `gradcheck audit gradcheck.faults.rules:scale-2`."""

from __future__ import annotations

from typing import Any

from . import FAULTS, fault_named


def __getattr__(name: str) -> Any:
    if name not in {fault.id for fault in FAULTS}:
        raise AttributeError(f"there is no fault {name!r} in the gallery")
    return fault_named(name).rule()


def __dir__() -> list[str]:
    return [fault.id for fault in FAULTS]
