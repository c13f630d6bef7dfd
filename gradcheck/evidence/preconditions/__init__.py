"""Preconditions of judging a claim: purity, live problems, oracles that agree."""
