"""A package, so that its program is stopped behind its last test."""
