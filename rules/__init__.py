"""Policy in, score out: the pure core. No I/O but reading files."""
