"""``python -m hearthwatch`` is the ``hearthwatch`` command."""

from __future__ import annotations

from hearthwatch.cli import main

if __name__ == "__main__":
    main()
