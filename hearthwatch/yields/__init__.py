"""The yield of warnings as people see it: a table, a page with charts, JSON."""
