"""A digest of the source files of whole folders."""

from __future__ import annotations

import hashlib
from pathlib import Path


def source_digest(*folders: Path) -> str:
    """Return a digest of all modules in the folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:32]
