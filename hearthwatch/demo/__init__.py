"""The demo: a small district lives through twelve years, on a real broker, in about a minute."""
