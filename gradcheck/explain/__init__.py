"""Counterexamples: found, shrunk, printed as a program, replayed, and diagnosed."""
