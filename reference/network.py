"""Networks, at the address that users import them from."""

from __future__ import annotations

from .networks.base import Capabilities as Capabilities
from .networks.base import RecurrentNetwork as RecurrentNetwork
from .networks.base import Sizes as Sizes
from .networks.batch import Batch as Batch
from .networks.context import ContextNetwork as ContextNetwork
from .networks.elman import Network as Network
from .networks.gated import GRU as GRU
from .networks.gated import MGU as MGU
from .networks.layouts import from_flax as from_flax
from .networks.layouts import from_torch as from_torch
from .networks.layouts import to_flax as to_flax
from .networks.layouts import to_torch as to_torch
from .networks.leaky import ContinuousTime as ContinuousTime
from .networks.leaky import Leaky as Leaky
from .networks.linear import LRU as LRU
from .networks.linear import RTU as RTU
from .networks.lstm import LSTM as LSTM
from .networks.registry import ALL_CONTEXT_NETWORKS as ALL_CONTEXT_NETWORKS
from .networks.registry import ALL_NETWORKS as ALL_NETWORKS
from .networks.registry import DEFAULT_NETWORK as DEFAULT_NETWORK
from .networks.simple import IRNN as IRNN
from .networks.simple import Elman as Elman
from .networks.simple import Jordan as Jordan
from .networks.stacked import Stacked as Stacked
from .networks.written import network as network
from .typing import State as State
