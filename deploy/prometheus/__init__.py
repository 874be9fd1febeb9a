"""What Prometheus is given: its configuration, alert rules, and their tests. Files only; see README.md."""
