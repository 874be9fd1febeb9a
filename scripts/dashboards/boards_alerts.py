"""The dashboard of what people are told: what became of alerts, what waits, how long it takes, channels."""

from __future__ import annotations

from queries import WHOLE_WIDTH, Board, Panel, by, series

_WEEK = "[7d]"
_MESSAGES = f"increase({series('alert_messages_total')}[1h])"
_NOT_TAKEN = f"increase({series('alert_messages_total', result='~failed|rejected')}[1h])"


def _told(share: float) -> str:
    """Within which time so many of a week's alerts were told, by level."""
    buckets = f"increase({series('alert_seconds', 'bucket')}{_WEEK})"
    return f"histogram_quantile({share}, {by('le, level', buckets)})"


ALERTS = Board(
    "hearthwatch-alerts",
    "hearthwatch: alerts",
    "Whether people are told: what became of alerts, what waits, how long it takes, which channels fail.",
    [
        (
            "Does anybody not know?",
            [
                Panel(
                    "Messages that nobody has got",
                    "stat",
                    [(f"sum({series('alert_messages_unsent')})", "unsent")],
                    "short",
                    8,
                    5,
                    "An attempt has failed; they are tried again, by other channels and other teams",
                    red=1,
                ),
                Panel(
                    "Teams that could not be told, within a day",
                    "stat",
                    [(f"sum(increase({series('alerts_total', fate='gave-up')}[1d]))", "alerts")],
                    "short",
                    8,
                    5,
                    "Alerts for which no channel of a team reached anybody; the next team was told",
                    red=1,
                ),
                Panel(
                    "Alerts that wait",
                    "stat",
                    [(by("why", series("alerts_waiting")), "{{why}}")],
                    "short",
                    8,
                    5,
                    "grouped: for others of the community, or quiet hours; digest: beyond a channel's rate",
                ),
            ],
        ),
        (
            "What became of them",
            [
                Panel(
                    "Alerts within an hour, by fate",
                    "stack",
                    [(by("fate", f"increase({series('alerts_total')}[1h])"), "{{fate}}")],
                    help="One can have several fates, one after the other",
                ),
                Panel("Waiting, by why", "stack", [(by("why", series("alerts_waiting")), "{{why}}")]),
            ],
        ),
        (
            "How long it takes",
            [
                Panel(
                    "Half of them are told within",
                    "lines",
                    [(_told(0.5), "{{level}}")],
                    "s",
                    help="From an alert until somebody was told; grouping, quiet hours and silences included",
                ),
                Panel("19 of 20 are told within", "lines", [(_told(0.95), "{{level}}")], "s"),
            ],
        ),
        (
            "Channels",
            [
                Panel(
                    "Attempts within an hour, by what came of them",
                    "stack",
                    [
                        (
                            by("channel, result", _MESSAGES),
                            "{{channel}} {{result}}",
                        )
                    ],
                ),
                Panel(
                    "Share that is not taken, by channel",
                    "lines",
                    [
                        (
                            f"{by('channel', _NOT_TAKEN)} / ({by('channel', _MESSAGES)} > 0)",
                            "{{channel}}",
                        )
                    ],
                    "percentunit",
                    help="Within an hour; above one half for a while there is an alarm",
                    red=0.5,
                ),
                Panel(
                    "Waiting for dispatch",
                    "lines",
                    [(by("topic", series("lag_records", stage="dispatch")), "{{topic}}")],
                    "short",
                    WHOLE_WIDTH,
                ),
            ],
        ),
    ],
)
