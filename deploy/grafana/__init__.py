"""Dashboards for Grafana, as JSON, which ``scripts/dashboards/write.py`` makes. See README.md."""
