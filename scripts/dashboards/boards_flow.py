"""Dashboards of what flows: the pipeline, and what departments send into it."""

from __future__ import annotations

from queries import WHOLE_WIDTH, Board, Panel, by, most, named, quantile, rate, recorded, series


def _flow() -> list[Panel]:
    """Left to right what passes each step, a second."""
    steps = [
        ("Departments →", f"sum({rate(series('events_total'))})"),
        ("→ intake →", f"sum({rate(series('records_total', stage='intake'))})"),
        ("→ person →", f"sum({rate(series('records_total', stage='person'))})"),
        ("→ household →", f"sum({rate(series('records_total', stage='household'))})"),
        ("→ warnings", f"sum({rate(series('warnings_total'))})"),
        ("→ dead letters", f"sum({rate(series('rejected_total'))})"),
    ]
    return [Panel(title, "stat", [(query, "")], "ops", 4, 4) for title, query in steps]


PIPELINE = Board(
    "hearthwatch-pipeline",
    "hearthwatch: pipeline",
    "The way of an event, from departments to warnings: how much passes, where it waits, how long it takes.",
    [
        (
            "Records a second, along the flow",
            [
                *_flow(),
                Panel(
                    "Waiting for intake",
                    "stat",
                    [(f"sum({series('lag_records', stage='intake')})", "")],
                    "short",
                    6,
                    4,
                    red=1_000,
                ),
                Panel(
                    "Waiting for person",
                    "stat",
                    [(f"sum({series('lag_records', stage='person')})", "")],
                    "short",
                    6,
                    4,
                    red=1_000,
                ),
                Panel(
                    "Waiting for household",
                    "stat",
                    [(f"sum({series('lag_records', stage='household')})", "")],
                    "short",
                    6,
                    4,
                    red=1_000,
                ),
                Panel(
                    "Workers ready",
                    "stat",
                    [(f"sum({series('ready')})", "ready"), (f"count({series('ready')})", "in all")],
                    "short",
                    6,
                    4,
                ),
            ],
        ),
        (
            "How long it takes",
            [
                Panel(
                    "From the event to its warning",
                    "lines",
                    [
                        (recorded("hearthwatch_warning_latency_seconds:p50_5m"), "half of them within"),
                        (recorded("hearthwatch_warning_latency_seconds:p99_5m"), "99 of 100 within"),
                    ],
                    "s",
                    help="From the broker's receipt to the acknowledged warning: 99 of 100 in 100 ms",
                    red=0.1,
                ),
                Panel(
                    "From fetch to commit, 99 of 100 parts",
                    "lines",
                    [(quantile(0.99, "processing_seconds", "stage"), "{{stage}}")],
                    "s",
                ),
            ],
        ),
        (
            "Where it waits",
            [
                Panel(
                    "Records that wait, by stage",
                    "lines",
                    [(recorded("stage:hearthwatch_lag_records:sum"), "{{stage}}")],
                ),
                Panel(
                    "Sent and not acknowledged yet",
                    "lines",
                    [(by("stage", series("effects_waiting")), "{{stage}}")],
                ),
                Panel(
                    "Records worked through",
                    "lines",
                    [(by("stage", rate(series("records_total"))), "{{stage}}")],
                    "ops",
                ),
                Panel(
                    "Records that came again",
                    "lines",
                    [(by("stage", rate(series("repeats_total"))), "{{stage}}")],
                    "ops",
                    help="After a crash or a takeover; they change nothing.",
                ),
            ],
        ),
        (
            "Workers",
            [
                Panel(
                    "Partitions",
                    "lines",
                    [(f"sum by (stage, state) ({series('partitions')})", "{{stage}} {{state}}")],
                ),
                Panel(
                    "Set aside, or without an evaluation",
                    "lines",
                    [
                        (
                            by("stage", f"increase({series('internal_errors_total')}[1h])"),
                            "{{stage}} internal-error",
                        ),
                        (
                            by("stage", f"increase({series('unevaluated_total')}[1h])"),
                            "{{stage}} without an evaluation",
                        ),
                    ],
                    help="Within an hour. Anything above 0 is a fault of the program.",
                    red=1,
                ),
                Panel(
                    "CPU",
                    "lines",
                    [
                        (
                            named(rate("process_cpu_seconds_total")),
                            "{{worker}}",
                        )
                    ],
                    "percentunit",
                ),
                Panel(
                    "Memory",
                    "lines",
                    [
                        (
                            named("process_resident_memory_bytes"),
                            "{{worker}}",
                        )
                    ],
                    "bytes",
                ),
                Panel("Who runs what", "table", [(series("worker_info"), "")], width=WHOLE_WIDTH),
            ],
        ),
    ],
)

DEPARTMENTS = Board(
    "hearthwatch-departments",
    "hearthwatch: departments",
    "What each department sends, what of it cannot be used and why, and who has fallen silent.",
    [
        (
            "Sent",
            [
                Panel(
                    "Events a second",
                    "stack",
                    [(by("department", rate(series("events_total"))), "{{department}}")],
                    "ops",
                    WHOLE_WIDTH,
                ),
                Panel(
                    "Silent for",
                    "bars",
                    [
                        (
                            "time() - "
                            + most("department", series("department_last_event_timestamp_seconds")),
                            "{{department}}",
                        )
                    ],
                    "s",
                    12,
                    12,
                    help="Since the latest record of any kind. A department that never sent is not here.",
                ),
                Panel(
                    "Silence allowed by the catalogue",
                    "bars",
                    [
                        (
                            f"max by (department) ({series('department_silent_after_seconds')})",
                            "{{department}}",
                        )
                    ],
                    "s",
                    12,
                    12,
                ),
            ],
        ),
        (
            "Rejected",
            [
                Panel(
                    "Share of what came within 10 minutes",
                    "lines",
                    [(recorded("department:hearthwatch_rejected:share10m"), "{{department}}")],
                    "percentunit",
                    red=0.05,
                ),
                Panel(
                    "Share over a day: what is usual",
                    "lines",
                    [(recorded("department:hearthwatch_rejected:share1d"), "{{department}}")],
                    "percentunit",
                ),
                Panel(
                    "By reason",
                    "stack",
                    [(by("reason", f"increase({series('rejected_total')}[$__rate_interval])"), "{{reason}}")],
                ),
                Panel(
                    "By department and reason, within an hour",
                    "table",
                    [
                        (
                            f"sum by (department, reason) (increase({series('rejected_total')}[1h])) > 0",
                            "",
                        )
                    ],
                ),
                Panel(
                    "Fields that the catalogue does not know",
                    "lines",
                    [(by("type", rate(series("dropped_fields_total"))), "{{type}}")],
                    "ops",
                    WHOLE_WIDTH,
                    help="Dropped from accepted events: a sender has more than we use, or misspells.",
                ),
            ],
        ),
    ],
)
