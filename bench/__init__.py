"""Benchmarks: the pure steps (a), the whole pipeline (b), and Faust as its documentation teaches (c)."""
