"""Dashboards of what stands: households and their warnings, the ledger and a rebuild of it."""

from __future__ import annotations

from queries import WHOLE_WIDTH, Board, Panel, by, most, rate, series

WARNINGS = Board(
    "hearthwatch-warnings",
    "hearthwatch: households and warnings",
    "How many families stand at which level, which warnings went out, and how days pass.",
    [
        (
            "Households",
            [
                Panel(
                    "Households at each level",
                    "stat",
                    [(by("level", series("households")), "{{level}}")],
                    "short",
                    WHOLE_WIDTH,
                    5,
                ),
                Panel(
                    "Over time",
                    "stack",
                    [(by("level", series("households")), "{{level}}")],
                    "short",
                    WHOLE_WIDTH,
                ),
            ],
        ),
        (
            "Warnings",
            [
                Panel(
                    "Within an hour, by kind",
                    "stack",
                    [(by("type", f"increase({series('warnings_total')}[1h])"), "{{type}}")],
                ),
                Panel(
                    "Raised or upgraded within an hour, by level",
                    "stack",
                    [
                        (
                            by(
                                "level",
                                f"increase({series('warnings_total', type='~.*(raised|upgraded)')}[1h])",
                            ),
                            "{{level}}",
                        )
                    ],
                ),
                Panel(
                    "How many within which time",
                    "bars",
                    [
                        (
                            by("le", f"increase({series('warning_latency_seconds', 'bucket')}[1h])"),
                            "{{le}} s",
                        )
                    ],
                    "short",
                    12,
                    10,
                ),
                Panel(
                    "Warnings a second",
                    "lines",
                    [(f"sum({rate(series('warnings_total'))})", "")],
                    "ops",
                    12,
                    10,
                ),
            ],
        ),
        (
            "Days",
            [
                Panel(
                    "Day of each partition",
                    "table",
                    [(f"max by (topic, partition) ({series('partition_day')}) * 86400000", "")],
                    "dateTimeAsIso",
                    8,
                    8,
                ),
                Panel(
                    "For how long it has been over",
                    "lines",
                    [(f"max by (partition) ({series('partition_day_age_seconds')})", "{{partition}}")],
                    "s",
                    8,
                    8,
                    red=900,
                ),
                Panel(
                    "Midnights and households that caught up, within an hour",
                    "lines",
                    [
                        (by("result", f"increase({series('ticks_total')}[1h])"), "ticks {{result}}"),
                        (f"sum(increase({series('caught_up_total')}[1h]))", "households caught up"),
                    ],
                    "short",
                    8,
                    8,
                ),
            ],
        ),
    ],
)

LEDGER = Board(
    "hearthwatch-ledger",
    "hearthwatch: ledger and rebuild",
    "State and progress in Redis: how it is written, what it refuses, how full it is, what a rebuild needs.",
    [
        (
            "Commits",
            [
                Panel(
                    "Commits a second",
                    "lines",
                    [(by("stage", rate(series("commits_total"))), "{{stage}}")],
                    "ops",
                    8,
                ),
                Panel(
                    "States a second",
                    "lines",
                    [(by("stage", rate(series("committed_states_total"))), "{{stage}}")],
                    "ops",
                    8,
                ),
                Panel(
                    "States in a commit",
                    "lines",
                    [
                        (
                            by("stage", rate(series("committed_states_total")))
                            + f" / ({by('stage', rate(series('commits_total')))} > 0)",
                            "{{stage}}",
                        )
                    ],
                    "short",
                    8,
                ),
                Panel(
                    "Refused within 10 minutes",
                    "lines",
                    [
                        (
                            f"sum by (stage, reason) (increase({series('refusals_total')}[10m]))",
                            "{{stage}} {{reason}}",
                        )
                    ],
                    help="A rebalance has a few `fenced` and `stale`. `missing` and `ledger` wake somebody.",
                ),
                Panel(
                    "Tried again within 10 minutes",
                    "lines",
                    [
                        (
                            f"sum by (stage, reason) (increase({series('redis_retries_total')}[10m]))",
                            "Redis: {{stage}} {{reason}}",
                        ),
                        (by("topic", f"increase({series('kafka_retries_total')}[10m])"), "Kafka: {{topic}}"),
                    ],
                ),
            ],
        ),
        (
            "Redis",
            [
                Panel("Answers", "stat", [(f"min({series('redis_connected')})", "")], "bool_yes_no", 4, 7),
                Panel(
                    "Memory of its bound",
                    "bars",
                    [
                        (
                            most(
                                "server",
                                f"{series('redis_memory_used_bytes')} / {series('redis_memory_bound_bytes')}",
                            ),
                            "{{server}}",
                        )
                    ],
                    "percentunit",
                    8,
                    7,
                    red=0.85,
                ),
                Panel(
                    "Memory",
                    "lines",
                    [
                        (f"max by (server) ({series('redis_memory_used_bytes')})", "{{server}} used"),
                        (f"max by (server) ({series('redis_memory_bound_bytes')})", "{{server}} bound"),
                    ],
                    "bytes",
                    12,
                    7,
                ),
            ],
        ),
        (
            "Rebuild and clocks",
            [
                Panel(
                    "Changes that wait for a snapshot, for how long",
                    "lines",
                    [
                        (
                            f"max by (topic) ({series('snapshot_age_seconds')})",
                            "{{topic}}",
                        )
                    ],
                    "s",
                    red=3_600,
                ),
                Panel(
                    "Clocks apart",
                    "lines",
                    [
                        (
                            f"max by (stage, server) (abs({series('clock_difference_seconds')}))",
                            "{{stage}} and {{server}}",
                        )
                    ],
                    "s",
                    red=2,
                ),
            ],
        ),
    ],
)
