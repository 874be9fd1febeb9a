"""Writes docs/reference/metrics.md from the metrics: ``python -m agents.metrics_page > FILE``."""

from __future__ import annotations

import sys

from agents.metric_definitions import DEFINITIONS, Definition

HEAD = """\
# Metrics

Each worker serves its own over HTTP, in Prometheus's text format, at `/metrics`; beside it `/healthz` (200
while the worker is alive) and `/readyz` (JSON; 200 if it is assigned, has claimed its partitions and is
connected, else 503 and why). The ports are settings (`HEARTHWATCH_INTAKE_METRICS_PORT` and so on);
`hearthwatch status` shows the addresses. This page is written from the code
(`python -m agents.metrics_page > docs/reference/metrics.md`).

No label names a household or a person, and none takes a word that a sender chose. Counters begin at 0 when a
worker starts. The usual metrics of a Python process (`process_cpu_seconds_total`,
`process_resident_memory_bytes`, `python_gc_objects_collected_total` and others) are served too.

Questions that they answer:

| question | query |
|---|---|
| Is everything through? | `sum by (stage, topic) (hearthwatch_lag_records)` |
| How long from an event to its warning? | `histogram_quantile(0.99, sum by (le) (rate(hearthwatch_warning_latency_seconds_bucket[5m])))` |
| Which department sends what we cannot use? | `sum by (department, reason) (rate(hearthwatch_rejected_total[1h]))` |
| How many households stand at which level? | `sum by (level) (hearthwatch_households)` |
| Does a partition wait for an operator? | `hearthwatch_partitions{state="stopped"} > 0` |
| Has a day been missed? | `max(hearthwatch_partition_day_age_seconds) > 900` |
| Which department is silent? | `time() - max by (department) (hearthwatch_department_last_event_timestamp_seconds)` |
| Does anybody not know what they should? | `sum(hearthwatch_alert_messages_unsent)` |
| Which channel does not take messages? | `sum by (channel, result) (increase(hearthwatch_alert_messages_total[1h]))` |
| What became of alerts? | `sum by (fate) (increase(hearthwatch_alerts_total[1h]))` |
| What do alerts wait for? | `sum by (why) (hearthwatch_alerts_waiting)` |
| How long from an alert until somebody is told? | `histogram_quantile(0.95, sum by (le, level) (increase(hearthwatch_alert_seconds_bucket[1d])))` |
| How full is Redis? | `hearthwatch_redis_memory_used_bytes / hearthwatch_redis_memory_bound_bytes` |

What to be woken for stands in `deploy/prometheus/alerts.yaml`, with a page for each alert in
[docs/how-to/runbooks](../how-to/runbooks/README.md); dashboards are in `deploy/grafana/dashboards`.
"""  # noqa: E501 - rows of a table are one line each


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(one) for one in DEFINITIONS)])


def _section(one: Definition) -> str:
    lines = [f"## {one.name}", "", f"{one.kind.capitalize()}. {one.help}", ""]
    if one.labels:
        lines += [f"Labels: {', '.join(f'`{label}`' for label in one.labels)}.", ""]
    if one.values:
        lines += [f"- {part}" for part in one.values.split("; ")] + [""]
    if one.buckets:
        lines += [f"Buckets (seconds): {', '.join(f'{bound:g}' for bound in one.buckets)}.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())
