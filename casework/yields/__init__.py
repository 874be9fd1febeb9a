"""What became of warnings, in numbers: which led to a visit, to need, to help. Pure; no households."""
