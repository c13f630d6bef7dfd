"""gradcheck: proofs, not tolerances, for the gradients of recurrent networks."""

from __future__ import annotations

import importlib.abc as _abc
import importlib.machinery as _machinery
import importlib.util as _util
import sys as _sys
from importlib import import_module as _import_module
from pathlib import Path as _Path
from typing import TYPE_CHECKING, Any

if not (_Path(__file__).parent / "reference").is_dir():
    # The source tree as it lies: reference/ and algorithms/ stand beside this folder.
    __path__.append(str(_Path(__file__).parent.parent))

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .engine.audit import audit as audit
    from .engine.replay import replay as replay
    from .engine.request import Limits as Limits
    from .evidence.exact.induction.certify import certify as certify
    from .explain.replay import Outcome as Outcome
    from .explain.replay import Replay as Replay
    from .pytest_plugin import parametrize as parametrize
    from .records import CheckFailed as CheckFailed
    from .records import Collection as Collection
    from .records import Report as Report
    from .records import Status as Status
    from .records import Strength as Strength
    from .records import Verdict as Verdict
    from .reference.claims import Aligned as Aligned
    from .reference.claims import Chunked as Chunked
    from .reference.claims import Claim as Claim
    from .reference.claims import Cost as Cost
    from .reference.claims import Equals as Equals
    from .reference.claims import Exact as Exact
    from .reference.claims import Online as Online
    from .reference.claims import Pure as Pure
    from .reference.claims import Stable as Stable
    from .reference.claims import Truncated as Truncated
    from .reference.claims import Unbiased as Unbiased
    from .reference.claims import Windowed as Windowed
    from .reference.claims import every as every
    from .reference.claims import rule as rule
    from .reference.errors import GradcheckError as GradcheckError
    from .reference.errors import UnsupportedOperation as UnsupportedOperation
    from .reference.network import ALL_CONTEXT_NETWORKS as ALL_CONTEXT_NETWORKS
    from .reference.network import ALL_NETWORKS as ALL_NETWORKS
    from .reference.network import GRU as GRU
    from .reference.network import IRNN as IRNN
    from .reference.network import LRU as LRU
    from .reference.network import LSTM as LSTM
    from .reference.network import MGU as MGU
    from .reference.network import RTU as RTU
    from .reference.network import Batch as Batch
    from .reference.network import ContextNetwork as ContextNetwork
    from .reference.network import ContinuousTime as ContinuousTime
    from .reference.network import Elman as Elman
    from .reference.network import Jordan as Jordan
    from .reference.network import Leaky as Leaky
    from .reference.network import Network as Network
    from .reference.network import Sizes as Sizes
    from .reference.network import Stacked as Stacked
    from .reference.network import from_flax as from_flax
    from .reference.network import from_torch as from_torch
    from .reference.network import network as network
    from .reference.network import to_flax as to_flax
    from .reference.network import to_torch as to_torch
    from .reference.problem import Problem as Problem
    from .rules import jax as jax
    from .rules import torch as torch
    from .store.problems import save_problems as save_problems

_CLAIMS = (
    "Aligned",
    "Chunked",
    "Claim",
    "Cost",
    "Equals",
    "Exact",
    "Online",
    "Pure",
    "Stable",
    "Truncated",
    "Unbiased",
    "Windowed",
)
_NETWORKS = (
    "ALL_CONTEXT_NETWORKS",
    "ALL_NETWORKS",
    "Batch",
    "ContextNetwork",
    "ContinuousTime",
    "Elman",
    "GRU",
    "IRNN",
    "Jordan",
    "LRU",
    "LSTM",
    "Leaky",
    "MGU",
    "Network",
    "RTU",
    "Sizes",
    "Stacked",
    "from_flax",
    "from_torch",
    "network",
    "to_flax",
    "to_torch",
)
_HOME = {
    "audit": "engine.audit",
    "Limits": "engine.request",
    "certify": "evidence.exact.induction.certify",
    "parametrize": "pytest_plugin",
    **dict.fromkeys((*_CLAIMS, "every", "rule"), "reference.claims"),
    **dict.fromkeys(("GradcheckError", "UnsupportedOperation"), "reference.errors"),
    **dict.fromkeys(_NETWORKS, "reference.network"),
    "Problem": "reference.problem",
    **dict.fromkeys(("Outcome", "Replay"), "explain.replay"),
    "replay": "engine.replay",
    "save_problems": "store.problems",
    **dict.fromkeys(("CheckFailed", "Collection", "Report", "Status", "Strength", "Verdict"), "records"),
}

_MODULES = {"jax": "rules.jax", "strategies": "problems.strategies", "torch": "rules.torch"}
"""Public modules, each with the room that it lives in; `import gradcheck.torch` and `gradcheck.torch` both find it.

Not in `__all__`, since a star must not hide the frameworks themselves.
"""

__all__ = [*_HOME, "__version__"]


class _PublicModules(_abc.MetaPathFinder, _abc.Loader):
    """Finds a public module by its public name, as the very module of its room."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> _machinery.ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        return _util.spec_from_loader(fullname, self) if package == __name__ and name in _MODULES else None

    def create_module(self, spec: _machinery.ModuleSpec) -> Any:
        return _import_module(f"{__name__}.{_MODULES[spec.name.rpartition('.')[2]]}")

    def exec_module(self, module: Any) -> None:
        """Nothing is left to run: the module was loaded under its own name."""


_sys.meta_path.append(_PublicModules())


def __getattr__(name: str) -> Any:
    """Load a name when it is first used: SymPy and the rest wait until they are needed."""
    if name in _MODULES:
        return _import_module(f"{__name__}.{_MODULES[name]}")
    if name not in _HOME:
        raise AttributeError(f"module 'gradcheck' has no attribute {name!r}")
    value = getattr(_import_module(f"gradcheck.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
