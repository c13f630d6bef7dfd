"""Audits in units: many small pieces of work, in any number of processes, on one machine or more.

A unit is one size of one kind of evidence for one claim of one rule. What units found is kept in a `ledger` as it comes
and put together at the end, in the same order and to the same verdicts however many processes there were.
"""

from __future__ import annotations
