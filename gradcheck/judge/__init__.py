"""Verdicts: from the evidence on one claim to what can be said of it."""
