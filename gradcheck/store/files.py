"""Reading a file within a limit of size, and writing one whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
from pathlib import Path

from ..reference.errors import GradcheckError


def read_bytes(path: Path, largest: int) -> bytes:
    """Return the content of a file.

    Args:
        path: The file.
        largest: The most bytes that it may have.

    Raises:
        GradcheckError: It cannot be read, or is larger.
    """
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except (OSError, ValueError) as error:
        raise GradcheckError(f"cannot read {str(path)!r}: {getattr(error, 'strerror', None) or error}") from error
    if len(content) > largest:
        raise GradcheckError(f"{str(path)!r} is larger than {largest // 2**20} MiB; no such file is")
    return content


def write_text(path: str | Path, content: str) -> Path:
    """Write text to a file, whole or not at all, and return its path.

    Args:
        path: The file, new or to be replaced.
        content: The text; a newline is added at its end where it has none.

    Raises:
        GradcheckError: The file cannot be written.
    """
    path = Path(path)
    if not content.endswith("\n"):
        content += "\n"
    try:
        _replace(path.resolve(), content.encode("utf-8", errors="backslashreplace"))
    except OSError as error:
        raise GradcheckError(
            f"cannot write {str(path)!r}: {error.strerror or error}; choose another place or change its permissions"
        ) from error
    return path


def check_place(path: Path, example: str = "report.html") -> None:
    """Check that a file can be written at `path`, before work is spent on its content.

    Args:
        path: The file, new or to be replaced.
        example: A file name for the message where `path` is a folder.

    Raises:
        GradcheckError: No file can be written there.
    """
    if path.is_dir():
        raise GradcheckError(f"{str(path)!r} is a folder; name a file in it, such as {str(path / example)!r}")
    folder = path.parent
    if not folder.exists():
        raise GradcheckError(
            f"the folder {str(folder)!r} does not exist; create it first: mkdir -p {shlex.quote(str(folder))}"
        )
    if not folder.is_dir():
        raise GradcheckError(f"{str(folder)!r}, in which {path.name!r} should go, is a file and not a folder")
    if path.exists() and not path.is_file():
        raise GradcheckError(f"{str(path)!r} is not a regular file and would be replaced; choose another name")
    if path.exists() and not os.access(path, os.W_OK):
        raise GradcheckError(f"{str(path)!r} is not writable; choose another name or change its permissions")


def _replace(target: Path, content: bytes) -> None:
    temporary = target.with_name(f".gradcheck-{secrets.token_hex(8)}.tmp")
    try:
        # Opened by name and not by tempfile, so that the file gets the permissions that the user's umask gives.
        with open(temporary, "xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
