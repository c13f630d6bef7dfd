"""Residues modulo a prime, in float64 arrays at BLAS speed."""

from . import dispatch as dispatch
