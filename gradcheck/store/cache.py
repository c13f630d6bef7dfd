"""A folder in which what SymPy derived is kept from one process to the next.

The variable GRADCHECK_CACHE names the folder, or is `off`; without it the folder is the one that the system has for
caches. A file is plain data, JSON under its digest, and reading it runs nothing. It is kept apart by the source of all
of `reference`, from which it was derived, and by the versions of SymPy and NumPy, so that a change there finds an empty
folder.

What is trusted: nothing that is read here. The digest finds what was cut off, damaged or written by something else; a
file that was forged together with its digest is found by `reference.ring`, which compares what it says with the
gradient found another way. A folder that is not there, full or read-only, or that other processes write into, only
costs time: files appear whole, by renaming, and what cannot be read or written is passed over.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import reference
from .sources import source_digest

if TYPE_CHECKING:
    from ..reference.ring import Store

VARIABLE, OFF = "GRADCHECK_CACHE", "off"
LARGEST = 2**26
"""Bytes; a larger file was not written here."""
KEPT = 8
"""Folders, each of one state of the source, of half a megabyte or so."""


@dataclass(frozen=True)
class Folder:
    """Files of plain data by key; see `reference.ring.Store`."""

    path: Path

    @property
    def writable(self) -> bool:
        """True if what is put there is likely to be found again."""
        with contextlib.suppress(OSError):
            self._make()
        return os.access(self.path, os.W_OK | os.X_OK)

    def get(self, key: str) -> Any:
        path = self._file(key)
        try:
            if not path.is_file() or path.stat().st_size > LARGEST:
                return None
            digest, _, body = path.read_bytes().partition(b"\n")
            kept = json.loads(body.decode()) if digest == _digest(body) else None
        except (OSError, ValueError, RecursionError):
            return None
        return kept["data"] if isinstance(kept, dict) and kept.get("key") == key and "data" in kept else None

    def put(self, key: str, data: Any) -> None:
        body = json.dumps({"key": key, "data": data}, separators=(",", ":")).encode()
        written = None
        try:
            self._make()
            with tempfile.NamedTemporaryFile(dir=self.path, suffix=".part", delete=False) as file:
                written = file.name
                file.write(_digest(body) + b"\n" + body)
            os.replace(written, self._file(key))
        except OSError:
            if written is not None:
                with contextlib.suppress(OSError):
                    os.unlink(written)

    def _make(self) -> None:
        if not self.path.is_dir():
            self.path.mkdir(parents=True, exist_ok=True)
            _remove_old(self.path.parent)

    def _file(self, key: str) -> Path:
        return self.path / f"{_digest(key.encode())[:32].decode()}.json"


def _remove_old(folder: Path) -> None:
    """Keep the `KEPT` folders in it that were changed last; the others are of sources that are long gone."""
    dated = []
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another process removes it too
            dated.append((path.stat().st_mtime_ns, path))
    for _, path in sorted(dated, reverse=True)[KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


_USED: ContextVar[Store | None] = ContextVar("gradcheck store", default=None)


@contextlib.contextmanager
def using(store: Store) -> Iterator[None]:
    """Open a context in which references are kept in this store, not in the folder."""
    token = _USED.set(store)
    try:
        yield
    finally:
        _USED.reset(token)


def store() -> Any:
    """Return the store to use in this context: that of `using`, else the folder, else None."""
    return _USED.get() or folder()


def folder() -> Folder | None:
    """Return the folder of this machine, or None where there is to be none."""
    return _opened(os.environ.get(VARIABLE, ""))


@functools.cache
def _opened(named: str) -> Folder | None:
    if named.lower() == OFF:
        return None
    try:
        root = Path(named).expanduser() if named else _of_the_system()
        return Folder(root / "formal" / _origin()) if root is not None else None
    except (OSError, RuntimeError, importlib.metadata.PackageNotFoundError):
        return None


def _of_the_system() -> Path | None:
    try:
        import platformdirs
    except ImportError:
        return None
    path: Path = platformdirs.user_cache_path("gradcheck", appauthor=False)
    return path if path.is_absolute() else None  # no home, no cache


def _origin() -> str:
    """Return a digest of all that the files were derived with: the modules of `reference`, SymPy and NumPy."""
    sources = source_digest(*map(Path, reference.__path__))
    versions = f"SymPy {importlib.metadata.version('sympy')}, NumPy {np.__version__}"
    return hashlib.sha256(f"{versions}, {sources}".encode()).hexdigest()[:32]


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
