"""gradcheck: proofs, not tolerances, for the gradients of recurrent networks."""

from __future__ import annotations

from importlib import import_module as _import_module
from pathlib import Path as _Path
from typing import TYPE_CHECKING, Any

if not (_Path(__file__).parent / "reference").is_dir():
    # The source tree as it lies: reference/ and algorithms/ stand beside this folder.
    __path__.append(str(_Path(__file__).parent.parent))

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import jax as jax
    from . import torch as torch
    from .asking import audit as audit
    from .isolation import Limits as Limits
    from .pytest_plugin import parametrize as parametrize
    from .reference.claims import Aligned as Aligned
    from .reference.claims import Chunked as Chunked
    from .reference.claims import Claim as Claim
    from .reference.claims import Cost as Cost
    from .reference.claims import Equals as Equals
    from .reference.claims import Exact as Exact
    from .reference.claims import Online as Online
    from .reference.claims import Pure as Pure
    from .reference.claims import Truncated as Truncated
    from .reference.claims import Unbiased as Unbiased
    from .reference.claims import Windowed as Windowed
    from .reference.claims import every as every
    from .reference.claims import rule as rule
    from .reference.errors import GradcheckError as GradcheckError
    from .reference.errors import UnsupportedOperation as UnsupportedOperation
    from .reference.networks.base import ALL_CONTEXT_NETWORKS as ALL_CONTEXT_NETWORKS
    from .reference.networks.base import ALL_NETWORKS as ALL_NETWORKS
    from .reference.networks.base import ContextNetwork as ContextNetwork
    from .reference.networks.base import Network as Network
    from .reference.problem import Problem as Problem
    from .replaying import Outcome as Outcome
    from .replaying import Replay as Replay
    from .replaying import replay as replay
    from .verdicts import Collection as Collection
    from .verdicts import Report as Report
    from .verdicts import Status as Status
    from .verdicts import Strength as Strength
    from .verdicts import Verdict as Verdict

_CLAIMS = (
    "Aligned",
    "Chunked",
    "Claim",
    "Cost",
    "Equals",
    "Exact",
    "Online",
    "Pure",
    "Truncated",
    "Unbiased",
    "Windowed",
)
_HOME = {
    "audit": "asking",
    "Limits": "isolation",
    "parametrize": "pytest_plugin",
    **dict.fromkeys((*_CLAIMS, "every", "rule"), "reference.claims"),
    **dict.fromkeys(("GradcheckError", "UnsupportedOperation"), "reference.errors"),
    **dict.fromkeys(("ALL_CONTEXT_NETWORKS", "ALL_NETWORKS", "ContextNetwork", "Network"), "reference.network"),
    "Problem": "reference.problem",
    **dict.fromkeys(("Outcome", "Replay", "replay"), "replaying"),
    **dict.fromkeys(("Collection", "Report", "Status", "Strength", "Verdict"), "verdicts"),
}

_FRAMEWORKS = ("jax", "torch")
"""Modules that are loaded when first used; not in `__all__`, since a star must not hide the frameworks themselves."""

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    """Names are loaded when first used: SymPy and the rest wait until they are needed."""
    if name in _FRAMEWORKS:
        return _import_module(f"gradcheck.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'gradcheck' has no attribute {name!r}")
    value = getattr(_import_module(f"gradcheck.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_FRAMEWORKS])
