"""Which help fits a family: the catalogue of measures, and what it suggests for a case."""

from __future__ import annotations
