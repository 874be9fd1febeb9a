"""Dashboards for Grafana, as JSON; ``scripts/dashboards`` writes them from the metrics. See README.md."""
