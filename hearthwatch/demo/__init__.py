"""The demo: a small district lives through some years, on a real broker, in about a minute."""
