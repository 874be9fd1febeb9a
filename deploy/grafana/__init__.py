"""Dashboards for Grafana, as JSON; ``scripts/dashboards/write.py`` writes them from the metrics. See README.md."""
