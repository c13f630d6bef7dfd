"""gradcheck: proofs, not tolerances, for the gradients of recurrent networks."""

from __future__ import annotations

from pathlib import Path as _Path

if not (_Path(__file__).parent / "reference").is_dir():
    # The source tree as it lies: reference/ and algorithms/ stand beside this folder.
    __path__.append(str(_Path(__file__).parent.parent))
