"""Public names of `reference/networks`, at the address that users import them from."""

from __future__ import annotations

from .networks.base import ALL_CONTEXT_NETWORKS as ALL_CONTEXT_NETWORKS
from .networks.base import ALL_NETWORKS as ALL_NETWORKS
from .networks.base import ContextNetwork as ContextNetwork
from .networks.base import Network as Network
from .networks.base import RecurrentNetwork as RecurrentNetwork
from .networks.base import Sizes as Sizes
from .typing import State as State
