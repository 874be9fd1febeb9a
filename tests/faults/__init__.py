"""A package, so that its stack is stopped behind its last test."""
