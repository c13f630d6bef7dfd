"""`python -m gradcheck`."""

from __future__ import annotations

from .cli.commands import main

if __name__ == "__main__":
    main()
