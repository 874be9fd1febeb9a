"""A package, so that its town is stopped behind its last test."""
