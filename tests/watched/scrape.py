"""Reading a worker's metrics as a scrape would."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from agents.metrics import StageMetrics

Found = dict[tuple[tuple[str, str], ...], float]


def values(metrics: StageMetrics, name: str) -> Found:
    """A metric's values, by its labels in order."""
    text = metrics.series.text().decode()
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }
