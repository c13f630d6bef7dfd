"""Names for the types that the whole project shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
"""A NumPy array of any dtype: floats, or objects that carry one of `reference.scalars`."""

Parameters: TypeAlias = Mapping[str, Array]
"""Parameter name to array; a gradient has the same names and shapes."""

Gradient: TypeAlias = dict[str, Array]

State: TypeAlias = Any
"""State that a network carries from step to step: an array, or a nest of arrays."""
