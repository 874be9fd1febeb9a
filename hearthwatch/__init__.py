"""hearthwatch: department life events in, explained household warnings out."""

from __future__ import annotations

__version__ = "0.1.0"
