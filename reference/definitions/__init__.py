"""Published definitions of rules that are no exact gradient, as direct sums over lags: what each rule is held to.

No recursion of a rule is used here: a definition is written from products of Jacobians, which the reverse pass over a
network's own equations yields, and from powers of what decays.
"""

from __future__ import annotations

from .adaptive import adaptive as adaptive
from .blocks import dni as dni
from .blocks import first_guess as first_guess
from .diagonal import diagonal as diagonal
from .masked import on_pattern as on_pattern
from .masked import snap as snap
from .traces import eprop as eprop
from .traces import kernl as kernl
from .traces import leaking as leaking
from .traces import neighbours as neighbours
from .traces import rflo as rflo
from .traces import symmetric as symmetric
