"""The dashboard of what becomes of warnings: cases, what is late, how long help takes."""

from __future__ import annotations

from queries import WHOLE_WIDTH, Board, Panel, by, series

_WEEK = "[7d]"


def _within(share: float, step: str) -> str:
    """Within which time so many of a week's cases had come so far, by level."""
    buckets = f"increase({series('case_step_seconds', 'bucket', step=step)}{_WEEK})"
    return f"histogram_quantile({share}, {by('le, level', buckets)})"


def _step(title: str, step: str) -> Panel:
    return Panel(title, "lines", [(_within(0.9, step), "{{level}}")], "s", 8, 8)


CASES = Board(
    "hearthwatch-cases",
    "hearthwatch: cases",
    "What became of the warnings: open cases, what is late and who knows of it, how long help takes.",
    [
        (
            "Open cases",
            [
                Panel("By level", "stat", [(by("level", series("cases")), "{{level}}")], "short", 12, 5),
                Panel(
                    "Something is late, known to",
                    "stat",
                    [(by("tier", series("cases_late")), "{{tier}}")],
                    "short",
                    12,
                    5,
                    "A case counts for the highest tier that was told",
                ),
                Panel("By state", "stack", [(by("state", series("cases")), "{{state}}")]),
                Panel(
                    "Deadlines missed within a day",
                    "stack",
                    [
                        (
                            by(
                                "clock",
                                f"increase({series('case_deadlines_missed_total', tier='community')}[1d])",
                            ),
                            "{{clock}}",
                        )
                    ],
                ),
            ],
        ),
        (
            "How long it takes: nine of ten within",
            [
                _step("Until somebody answers", "acknowledge"),
                _step("Until the visit", "visit"),
                _step("Until help arrives", "help"),
            ],
        ),
        (
            "What is done",
            [
                Panel(
                    "Commands within an hour, by what came of them",
                    "stack",
                    [(by("result", f"increase({series('case_commands_total')}[1h])"), "{{result}}")],
                    help="Many that are stale: several people work on the same cases",
                ),
                Panel(
                    "Commands within a day",
                    "bars",
                    [
                        (
                            by("command", f"increase({series('case_commands_total', result='done')}[1d])"),
                            "{{command}}",
                        )
                    ],
                ),
                Panel(
                    "Opened and closed within a day",
                    "lines",
                    [
                        (f"sum(increase({series('cases_opened_total')}[1d]))", "opened"),
                        (f"sum(increase({series('cases_closed_total')}[1d]))", "closed"),
                    ],
                ),
                Panel(
                    "Closed within a month, by code",
                    "bars",
                    [(by("code", f"increase({series('cases_closed_total')}[30d])"), "{{code}}")],
                ),
                Panel(
                    "Waiting for forward and cases",
                    "lines",
                    [(by("topic", series("lag_records", stage="~forward|cases")), "{{topic}}")],
                    "short",
                    WHOLE_WIDTH,
                ),
            ],
        ),
    ],
)
