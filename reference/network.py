"""Networks, at the address that users import them from."""

from __future__ import annotations

from .networks.base import Capabilities as Capabilities
from .networks.base import RecurrentNetwork as RecurrentNetwork
from .networks.base import Sizes as Sizes
from .networks.context import ContextNetwork as ContextNetwork
from .networks.elman import Network as Network
from .networks.registry import ALL_CONTEXT_NETWORKS as ALL_CONTEXT_NETWORKS
from .networks.registry import ALL_NETWORKS as ALL_NETWORKS
from .networks.registry import DEFAULT_NETWORK as DEFAULT_NETWORK
from .networks.written import network as network
from .typing import State as State
