"""The demo on a terminal: a live screen with rich; and as plain lines where there is none."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click
from rich.cells import set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.progress_bar import ProgressBar
from rich.text import Text

from hearthwatch.demo.help_text import HelpText
from hearthwatch.demo.helping import Message
from hearthwatch.demo.names import family_name, story_name
from hearthwatch.demo.tally import News, StoryOutcome, Tally
from hearthwatch.demo.words import WORDS
from hearthwatch.warning_style import level_style
from hearthwatch.warning_text import done_text, level_text, reason_text
from rules.words import Language
from streams.timestamps import parse_timestamp
from streams.warnings_topic import WarningRecord

_TITLE_WIDTH = 20
_CHANGE_WIDTH = 24  # "was Orange - help needed"
_DONE_WIDTH = 9  # "withdrawn"
_NAME_WIDTH = 15  # "Job found again"
_BAR_WIDTH = 24
_LEVELS_WIDTH = _TITLE_WIDTH + 6 + _BAR_WIDTH
_GAP = 3
_WIDE = 110
_TALL = 34
_MOST_NEWS = 5
_HEAD_LINES = 2


class Screen:
    """Renders the tally as it stands whenever it is drawn."""

    def __init__(self, tally: Tally, language: Language) -> None:
        self._tally = tally
        self._language = language
        self._words = WORDS[language]
        self._help = HelpText(tally.policy, tally.book, language, tally.teams)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with self._tally.lock:
            yield self._drawn(options.max_width, console.height)

    def _drawn(self, width: int, height: int) -> Group:
        is_wide = width >= _WIDE
        is_low = not is_wide and height < _TALL
        levels = self._levels_in_short(width) if is_low else self._levels()
        stories = self._stories(width - _LEVELS_WIDTH - _GAP if is_wide else width)
        if is_wide:
            rows = max(len(levels), len(stories))
            middle = [
                _beside(left, right)
                for left, right in zip(_filled(levels, rows), _filled(stories, rows), strict=True)
            ]
        else:
            middle = [*levels, Text(), *stories]
        head = self._head(width)
        gap = [] if is_low else [Text()]
        # A terminal's last line stays free: the cursor stands there.
        left = height - 1 - _HEAD_LINES - len(middle) - 2 * len(gap) - 2
        count = max(1, min(_MOST_NEWS, left // 2))
        news = self._news(count, width)
        newest = self._newest(max(1, left - count), width)
        return Group(*head, *middle, *gap, *news, *gap, *newest)

    def _head(self, width: int) -> list[Text | ProgressBar]:
        tally, words = self._tally, self._words
        timeline = tally.timeline
        total = len(timeline.before) + len(timeline.days)
        is_wide = width >= _WIDE
        gap = "   " if is_wide else "  "
        line = Text()
        line.append(words["title"], style="bold")
        line.append(f"{gap}{tally.day or '-':10}{gap}", style="bold cyan")
        for rate, word in ((tally.events, words["events"]), (tally.warnings, words["warnings"])):
            line.append(f"{rate.total:,} {word}")
            line.append(f" ({rate.per_second():,.0f}/s){gap}" if is_wide else gap)
        line.append(f"{tally.rejected} {words['rejected']}", style="magenta" if tally.rejected else "")
        line.truncate(width, overflow="ellipsis")
        # A bar does not end its line.
        return [line, ProgressBar(total=total, completed=tally.done_days, width=min(width, 100)), Text()]

    def _levels_in_short(self, width: int) -> list[Text]:
        """Households by level in as few lines as it takes, for a low terminal."""
        lines = [Text()]
        for level, count in self._tally.households_by_level().items():
            title = self._words["no-level"] if level is None else self._level(level)
            one = Text(f"{count} {title}", style=level_style(level, self._tally.policy))
            if lines[-1] and lines[-1].cell_len + 3 + one.cell_len > width:
                lines.append(Text())
            lines[-1] = Text.assemble(lines[-1], "   " if lines[-1] else "", one)
        return lines

    def _levels(self) -> list[Text]:
        lines = [Text(self._words["levels"], style="bold")]
        counts = self._tally.households_by_level()
        # Most households have no warning; their bar would leave no room for the others.
        most = max((count for level, count in counts.items() if level is not None), default=0) or 1
        for level, count in counts.items():
            style = level_style(level, self._tally.policy)
            title = self._words["no-level"] if level is None else self._level(level)
            bar = "" if level is None else "█" * (round(count * _BAR_WIDTH / most) or int(count > 0))
            lines.append(
                Text.assemble((set_cell_size(title, _TITLE_WIDTH), style), f"{count:5} ", (bar, style))
            )
        return lines

    def _stories(self, width: int) -> list[Text]:
        lines = [Text(self._words["stories"], style="bold")]
        for outcome in self._tally.outcomes():
            state, style = self._state(outcome)
            line = Text.assemble((set_cell_size(state, 11), style), story_name(outcome.story, self._language))
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
        return lines

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

    def _news(self, count: int, width: int) -> list[Text]:
        """What staff did and were told, the latest last; as many lines from the beginning on."""
        lines = [Text(self._words["help"], style="bold")]
        for one in list(self._tally.news)[-count:]:
            style = "yellow" if isinstance(one.what, Message) else "green"
            line = Text.assemble(
                (f"{one.day}  ", "dim"),
                set_cell_size(_name(one, self._language), _NAME_WIDTH) + "  ",
                (self._help.news(one.what), style),
            )
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
        return _filled(lines, count + 1)

    def _newest(self, count: int, width: int) -> list[Text]:
        lines = [Text(self._words["newest"], style="bold")]
        # Each partition of households has its own day, so the newest to come may not be the latest by day.
        newest = sorted(self._tally.newest, key=lambda one: str(one.message["data"]["day"]))
        for record in newest[-count:]:
            data = record.message["data"]
            line = Text.assemble(
                (f"{data['day']}  ", "dim"),
                (
                    set_cell_size(self._level_or_before(data), _CHANGE_WIDTH),
                    level_style(data["level"], self._tally.policy),
                ),
                " " + set_cell_size(done_text(record.message["type"], self._language), _DONE_WIDTH),
                set_cell_size(f" {record.household}", 22 if width >= _WIDE else 16),
                f" {reason_text(record.message, self._tally.policy, self._language)}",
            )
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
        return lines

    def _level_or_before(self, data: Mapping[str, Any]) -> str:
        """The level of a warning; of one that ended, the level that it had."""
        if data["level"] is not None or data["previous_level"] is None:
            return self._level(data["level"])
        return self._words["was"].format(level=self._level(data["previous_level"]))

    def _level(self, level: str | None) -> str:
        return level_text(level, self._tally.policy, self._language)


class Lines:
    """A line now and then, and one for each warning of a story: for logs."""

    def __init__(self, tally: Tally, language: Language) -> None:
        self._tally = tally
        self._language = language
        self._words = WORDS[language]
        self._help = HelpText(tally.policy, tally.book, language, tally.teams)
        self._news = 0
        self._began = time.monotonic()
        self._said = ""
        self._stories = {story.household: 0 for story in tally.timeline.stories}

    def day(self) -> None:
        """A day is through."""
        with self._tally.lock:
            fresh = [
                one for one in self._tally.newest if one.number > self._stories.get(one.household, 1 << 62)
            ]
            # The deque forgets the oldest; a day has fewer than it holds.
            total = self._tally.news_total
            news = list(self._tally.news)[-(total - self._news) :] if total > self._news else []
            self._news = total
            span = self._tally.day[:4] if "Q" in self._tally.day else self._tally.day[:7]
            new_span = span != self._said
            self._said = span
            head = self._line()
        colon = self._words["colon"]
        told = [
            (one.day, one.at, f"{_name(one, self._language)}{colon}{self._help.news(one.what)}")
            for one in news
        ]
        for record in fresh:
            self._stories[record.household] = record.number
            at = parse_timestamp(str(record.message.get("time", ""))) or 0
            told.append((str(record.message["data"]["day"]), at, self._warning(record)))
        # Both come on ways of their own; a reader goes by the time.
        for day, _, line in sorted(told, key=lambda one: one[:2]):
            click.echo(f"  {day} {line}")
        if new_span:
            click.echo(head)

    def _warning(self, record: WarningRecord) -> str:
        policy, language = self._tally.policy, self._language
        data = record.message["data"]
        done = done_text(record.message["type"], language)
        name = family_name(record.household.removeprefix("story-"), language)
        level = "" if data["level"] is None else f" {level_text(data['level'], policy, language)}"
        return f"{name}{self._words['colon']}{done}{level}: {reason_text(record.message, policy, language)}"

    def _line(self) -> str:
        tally, words = self._tally, self._words
        return (
            f"{time.monotonic() - self._began:5.1f} s  {tally.day}  "
            f"{tally.events.total:,} {words['events']}  "
            f"{tally.warnings.total:,} {words['warnings']}  {tally.rejected} {words['rejected']}"
        )


def _name(news: News, language: Language) -> str:
    return family_name(news.household.removeprefix("story-"), language)


def _filled(lines: list[Text], count: int) -> list[Text]:
    return [*lines, *(Text() for _ in range(count - len(lines)))]


def _beside(left: Text, right: Text) -> Text:
    filled = left.copy()
    filled.truncate(_LEVELS_WIDTH, pad=True)
    return Text.assemble(filled, " " * _GAP, right)
