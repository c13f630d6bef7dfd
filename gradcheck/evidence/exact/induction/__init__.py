"""Proofs of online rules for every T, by induction over the steps."""
