"""The demo on a terminal: a live screen with rich; and as plain lines where there is none."""

from __future__ import annotations

import time

import click
from rich.cells import set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.progress_bar import ProgressBar
from rich.text import Text

from hearthwatch.demo.help_text import HelpText, title_of
from hearthwatch.demo.helping import Message
from hearthwatch.demo.tally import News, StoryOutcome, Tally
from hearthwatch.demo.words import WORDS
from hearthwatch.warning_style import level_style
from hearthwatch.warning_text import done_text, level_text, reason_text
from rules.words import Language

_TITLE_WIDTH = 20
_DONE_WIDTH = 9  # "withdrawn"
_BAR_WIDTH = 24
_LEVELS_WIDTH = _TITLE_WIDTH + 6 + _BAR_WIDTH
_GAP = 3
_WIDE = 110
_MOST_NEWS = 5


class Screen:
    """Renders the tally as it stands whenever it is drawn."""

    def __init__(self, tally: Tally, language: Language) -> None:
        self._tally = tally
        self._language = language
        self._words = WORDS[language]
        self._help = HelpText(tally.policy, tally.book, language)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with self._tally.lock:
            yield self._drawn(options.max_width, console.height)

    def _drawn(self, width: int, height: int) -> Group:
        is_wide = width >= _WIDE
        levels = self._levels()
        stories = self._stories(width - _LEVELS_WIDTH - _GAP if is_wide else width)
        if is_wide:
            rows = max(len(levels), len(stories))
            middle = [
                _beside(left, right)
                for left, right in zip(_filled(levels, rows), _filled(stories, rows), strict=True)
            ]
        else:
            middle = [*levels, Text(), *stories]
        news = self._news(_MOST_NEWS, width)
        newest = self._newest(max(3, height - len(middle) - len(news) - 8), width)
        return Group(self._head(width), Text(), *middle, Text(), *news, Text(), *newest)

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
            line = Text.assemble((set_cell_size(state, 11), style), outcome.story.name)
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
                (f"{one.day}  ", "dim"), set_cell_size(_name(one), 13), (self._help.news(one.what), style)
            )
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
        return _filled(lines, count + 1)

    def _newest(self, count: int, width: int) -> list[Text]:
        lines = [Text(self._words["newest"], style="bold")]
        for record in list(self._tally.newest)[-count:]:
            data = record.message["data"]
            line = Text.assemble(
                (f"{data['day']}  ", "dim"),
                (
                    set_cell_size(self._level(data["level"]), _TITLE_WIDTH),
                    level_style(data["level"], self._tally.policy),
                ),
                " " + set_cell_size(done_text(record.message["type"], self._language), _DONE_WIDTH),
                set_cell_size(f" {record.household}", 22),
                f" {reason_text(record.message, self._tally.policy, self._language)}",
            )
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
        return lines

    def _level(self, level: str | None) -> str:
        return level_text(level, self._tally.policy, self._language)


class Lines:
    """A line now and then, and one for each warning of a story: for logs."""

    def __init__(self, tally: Tally, language: Language) -> None:
        self._tally = tally
        self._language = language
        self._words = WORDS[language]
        self._help = HelpText(tally.policy, tally.book, language)
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
        for record in fresh:
            self._stories[record.household] = record.number
            data = record.message["data"]
            level = level_text(data["level"], self._tally.policy, self._language)
            why = reason_text(record.message, self._tally.policy, self._language)
            click.echo(
                f"  {data['day']} {level}: {done_text(record.message['type'], self._language)} "
                f"{record.household}: {why}"
            )
        for one in news:
            click.echo(f"  {one.day} {_name(one)}: {self._help.news(one.what)}")
        if new_span:
            click.echo(head)

    def _line(self) -> str:
        tally, words = self._tally, self._words
        return (
            f"{time.monotonic() - self._began:5.1f} s  {tally.day}  "
            f"{tally.events.total:,} {words['events']}  "
            f"{tally.warnings.total:,} {words['warnings']}  {tally.rejected} {words['rejected']}"
        )


def _name(news: News) -> str:
    return title_of(news.household.removeprefix("story-"))


def _filled(lines: list[Text], count: int) -> list[Text]:
    return [*lines, *(Text() for _ in range(count - len(lines)))]


def _beside(left: Text, right: Text) -> Text:
    filled = left.copy()
    filled.truncate(_LEVELS_WIDTH, pad=True)
    return Text.assemble(filled, " " * _GAP, right)
