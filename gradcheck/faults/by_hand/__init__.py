"""Backward passes of cells, written by hand: the right rules in which the gallery makes its mistakes on cells."""
