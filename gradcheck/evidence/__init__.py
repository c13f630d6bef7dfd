"""Kinds of evidence, one per file: each plans and gathers evidence on a case."""
