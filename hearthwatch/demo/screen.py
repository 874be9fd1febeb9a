"""The demo on a terminal: a live screen with rich; and as plain lines where there is none."""

from __future__ import annotations

import time

import click
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hearthwatch.demo.tally import StoryOutcome, Tally
from hearthwatch.demo.words import WORDS
from hearthwatch.warning_style import level_style
from hearthwatch.warning_text import Language, done_text, level_text, reason_text

_BAR_WIDTH = 28
_WIDE = 110


class Screen:
    """Renders the tally as it stands whenever it is drawn."""

    def __init__(self, tally: Tally, language: Language) -> None:
        self._tally = tally
        self._language = language
        self._words = WORDS[language]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with self._tally.lock:
            yield self._drawn(options.max_width, console.height)

    def _drawn(self, width: int, height: int) -> Group:
        levels, stories = self._levels(), self._stories()
        if width >= _WIDE:
            beside = Table.grid(padding=(0, 4))
            beside.add_row(levels, stories)
            middle: Table | Group = beside
            used = 4 + max(levels.row_count, stories.row_count) + 1
        else:
            middle = Group(levels, Text(), stories)
            used = 4 + levels.row_count + stories.row_count + 3
        newest = self._newest(max(3, height - used - 4))
        return Group(self._head(width), Text(), middle, Text(), newest)

    def _head(self, width: int) -> Group:
        tally, words = self._tally, self._words
        timeline = tally.timeline
        total = len(timeline.before) + len(timeline.days)
        line = Text()
        line.append(words["title"], style="bold")
        line.append(f"   {tally.day or '-'}   ", style="bold cyan")
        line.append(f"{tally.events.total:,} {words['events']} ({tally.events.per_second():,.0f}/s)   ")
        line.append(f"{tally.warnings.total:,} {words['warnings']} ({tally.warnings.per_second():,.0f}/s)   ")
        line.append(f"{tally.rejected} {words['rejected']}", style="magenta" if tally.rejected else "")
        return Group(line, ProgressBar(total=total, completed=tally.done_days, width=min(width, 100)))

    def _levels(self) -> Table:
        table = _table(self._words["levels"], 3)
        counts = self._tally.households_by_level()
        most = max(counts.values(), default=1) or 1
        for level, count in counts.items():
            style = level_style(level, self._tally.policy)
            title = (
                self._words["no-level"]
                if level is None
                else level_text(level, self._tally.policy, self._language)
            )
            full = round(count * _BAR_WIDTH / most)
            bar = "█" * (full or int(count > 0))
            table.add_row(Text(title, style=style), Text(str(count), justify="right"), Text(bar, style=style))
        return table

    def _stories(self) -> Table:
        table = _table(self._words["stories"], 2)
        for outcome in self._tally.outcomes():
            state, style = self._state(outcome)
            table.add_row(Text(state, style=style), Text(_short(outcome.story.name, 64), no_wrap=True))
        return table

    def _state(self, outcome: StoryOutcome) -> tuple[str, str]:
        expected = len(outcome.story.expected)
        if outcome.seen > expected or (outcome.seen == expected and not outcome.is_as_told):
            return "✗ " + self._words["differs"], "red"
        if not expected:
            return "· " + self._words["none-expected"], "green"
        if outcome.seen == expected:
            return "✓ " + self._words["as-told"], "green"
        if outcome.seen == 0:
            return "  " + self._words["waiting"], "dim"
        return "  " + self._words["of"].format(seen=outcome.seen, expected=expected), "yellow"

    def _newest(self, count: int) -> Table:
        table = _table(self._words["newest"], 4)
        table.expand = True
        for record in list(self._tally.newest)[-count:]:
            data = record.message["data"]
            level = Text(level_text(data["level"], self._tally.policy, self._language))
            level.stylize(level_style(data["level"], self._tally.policy))
            why = reason_text(record.message, self._tally.policy, self._language)
            done = done_text(record.message["type"], self._language)
            table.add_row(
                Text(data["day"], style="dim"),
                level,
                Text(f"{done} {record.household}"),
                Text(why, no_wrap=True),
            )
        return table


class Lines:
    """A line now and then, and one for each warning of a story: for logs."""

    def __init__(self, tally: Tally, language: Language) -> None:
        self._tally = tally
        self._language = language
        self._words = WORDS[language]
        self._began = time.monotonic()
        self._said = ""
        self._stories = {story.household: 0 for story in tally.timeline.stories}

    def day(self) -> None:
        """A day is through."""
        with self._tally.lock:
            fresh = [
                one for one in self._tally.newest if one.number > self._stories.get(one.household, 1 << 62)
            ]
            span = self._tally.day[:4] if "Q" in self._tally.day else self._tally.day[:7]
            new_span = span != self._said
            self._said = span
            head = self._line()
        for record in fresh:
            self._stories[record.household] = record.number
            data = record.message["data"]
            level = level_text(data["level"], self._tally.policy, self._language)
            why = reason_text(record.message, self._tally.policy, self._language)
            click.echo(
                f"  {data['day']} {level}: {done_text(record.message['type'], self._language)} "
                f"{record.household}: {why}"
            )
        if new_span:
            click.echo(head)

    def _line(self) -> str:
        tally, words = self._tally, self._words
        return (
            f"{time.monotonic() - self._began:5.1f} s  {tally.day}  "
            f"{tally.events.total:,} {words['events']}  "
            f"{tally.warnings.total:,} {words['warnings']}  {tally.rejected} {words['rejected']}"
        )


def _table(title: str, columns: int) -> Table:
    table = Table(
        box=None, pad_edge=False, show_header=False, title=title, title_justify="left", title_style="bold"
    )
    for _ in range(columns):
        table.add_column(no_wrap=True)
    return table


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def indented(text: Text) -> Padding:
    """A line that belongs to the one above."""
    return Padding(text, (0, 0, 0, 2))
