"""Chapters of the report beyond single rules: lecture, truncation, costs, who catches what."""
