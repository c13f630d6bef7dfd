"""Chapters of the report beyond single rules: lecture, costs, truncation, gallery."""
