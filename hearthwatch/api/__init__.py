"""The HTTP API: cases, households, warnings and changes (docs/reference/http-api.md)."""
