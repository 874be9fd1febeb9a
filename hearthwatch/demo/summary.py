"""What the demo says at its end: for people, and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from casework.stories.judged import household_of
from hearthwatch.demo.help_text import HelpText
from hearthwatch.demo.helping import Helped
from hearthwatch.demo.names import story_name
from hearthwatch.demo.tally import StoryOutcome, Tally
from hearthwatch.demo.words import WORDS
from hearthwatch.warning_style import level_style
from hearthwatch.warning_text import done_text, level_text
from rules.policy import Policy
from rules.words import Language
from streams.stories import Story


@dataclass(frozen=True, slots=True)
class Result:
    """A demo that was played to its end.

    Attributes:
        seconds: how long it took, start and play together.
        first_warning_seconds: from the start to the first warning.
        dead_letters: reason to number, as they stand on the topic.
        helped: how the help of the stories came out.
    """

    tally: Tally
    seconds: float
    first_warning_seconds: float | None
    dead_letters: Counter[str]
    helped: tuple[Helped, ...]

    @property
    def outcomes(self) -> list[StoryOutcome]:
        """How the stories came out."""
        return self.tally.outcomes()

    @property
    def expected_dead_letters(self) -> Counter[str]:
        """What has to stand on the topic of dead letters."""
        return Counter(one.reason for one in self.tally.timeline.bad)

    @property
    def is_good(self) -> bool:
        """Whether every story, all help and every dead letter came out as it should."""
        return (
            all(one.is_as_told for one in self.outcomes)
            and all(one.is_as_told for one in self.helped)
            and len(self.helped) == len(self.tally.timeline.staff)
            and self.dead_letters == self.expected_dead_letters
        )

    def as_json(self) -> dict[str, Any]:
        """The summary as a JSON object."""
        tally = self.tally
        p50, p99 = tally.latency_ms(0.5), tally.latency_ms(0.99)
        return {
            "good": self.is_good,
            "seconds": round(self.seconds, 1),
            "first_warning_seconds": _rounded(self.first_warning_seconds),
            "until": tally.timeline.until.isoformat(),
            "events": tally.events.total,
            "rejected": sum(self.dead_letters.values()),
            "rejected_by_reason": dict(sorted(self.dead_letters.items())),
            "rejected_as_expected": self.dead_letters == self.expected_dead_letters,
            "warnings": tally.warnings.total,
            "warnings_by_type": dict(sorted(tally.by_type.items())),
            "warnings_by_level": {level.id: tally.by_level[level.id] for level in tally.policy.levels},
            "households_by_level": {
                level or "none": count for level, count in tally.households_by_level().items()
            },
            "latency_ms": {"p50": _rounded(p50), "p99": _rounded(p99), "warnings": len(tally.latencies_ms)},
            "stories": [
                {
                    "story": one.story.id,
                    "name": one.story.name,
                    "expected": [str(expected) for expected in one.story.expected],
                    "seen": one.seen,
                    "as_told": one.is_as_told,
                    "problems": list(one.problems),
                }
                for one in self.outcomes
            ],
            "alerts": tally.alerts,
            "alert_messages": dict(sorted(tally.messages.items())),
            "acts": tally.acts,
            "help": [self._help_as_json(one) for one in self.helped],
        }

    def _help_as_json(self, helped: Helped) -> dict[str, Any]:
        case = household_of(helped.staff.household, helped.outcome.events).last
        return {
            "story": helped.story.id,
            "case": None if case is None else case.id,
            "closed": None if case is None else case.code,
            "measures": [] if case is None else [one.id for one in case.measures if one.state == "delivered"],
            "commitment": None if case is None or case.commitment is None else case.commitment.state,
            "alerts": [one.kind for one in helped.staff.alerts],
            "in_words": HelpText(self.tally.policy, self.tally.book, "en").family(helped),
            "as_told": helped.is_as_told,
            "problems": list(helped.problems),
        }


def print_summary(result: Result, language: Language, console: Console) -> None:
    """Say what happened."""
    words, tally = WORDS[language], result.tally
    console.print()
    console.print(Text(words["summary"], style="bold"))
    days = (tally.timeline.until - _first_day(tally)).days
    reasons = words["comma"].join(
        f"{count} {reason}" for reason, count in sorted(result.dead_letters.items())
    )
    types = words["comma"].join(
        f"{count} {done_text('warning.' + kind, language)}" for kind, count in tally.by_type.most_common()
    )
    rows = [
        words["days"].format(days=f"{days:,}", until=tally.timeline.until, seconds=result.seconds),
        words["sent"].format(
            events=tally.events.total, rejected=sum(result.dead_letters.values()), reasons=reasons
        ),
        words["warned"].format(warnings=tally.warnings.total, types=types),
    ]
    p50, p99 = tally.latency_ms(0.5), tally.latency_ms(0.99)
    if p50 is not None and p99 is not None:
        rows.append(words["latency"].format(p50=p50, p99=p99, count=len(tally.latencies_ms)))
    for row in [*map(Text, rows), _levels(result, language)]:
        console.print(Padding(row, (0, 0, 0, 2), expand=False))
    if result.dead_letters != result.expected_dead_letters:
        told = words["deadletters-bad"].format(
            expected=dict(result.expected_dead_letters), seen=dict(result.dead_letters)
        )
        console.print(Text(f"  {told}", style="red"))
    console.print()
    _print_stories(result.outcomes, tally.policy, language, console)
    console.print()
    _print_help(result, words, language, console)


def _levels(result: Result, language: Language) -> Text:
    words, tally = WORDS[language], result.tally
    head, _, _ = words["levels-now"].partition("{levels}")
    line = Text(head)
    for number, (level, count) in enumerate(tally.households_by_level().items()):
        title = words["no-level"] if level is None else level_text(level, tally.policy, language)
        line.append(words["comma"] if number else "")
        line.append(f"{count} {title}", style=level_style(level, tally.policy))
    return line


def _print_marked(text: Text, console: Console, *, is_good: bool | None = None) -> None:
    """Some lines with a mark before the first; all go on under their beginning, no blanks behind them."""
    mark = {True: ("✓", "green"), False: ("✗", "red"), None: (" ", "")}[is_good]
    for number, line in enumerate(text.wrap(console, console.width - 4)):
        line.rstrip()
        console.print(Text.assemble("  ", mark if number == 0 else " ", " ", line))


def _print_stories(
    outcomes: list[StoryOutcome], policy: Policy, language: Language, console: Console
) -> None:
    words = WORDS[language]
    wrong = [one for one in outcomes if not one.is_as_told]
    key = "stories-bad" if wrong else "stories-good"
    style = "bold red" if wrong else "bold green"
    console.print(Text(words[key].format(count=len(wrong) or len(outcomes), all=len(outcomes)), style=style))
    for one in outcomes:
        told = Text(_expectation(one.story, policy, language), style="dim")
        text = Text.assemble(story_name(one.story, language), "\n", told)
        _print_marked(text, console, is_good=one.is_as_told)
    for one in wrong:
        for problem in one.problems:
            _print_marked(Text(f"{one.story.id}: {problem}", style="red"), console)


def _print_help(result: Result, words: dict[str, str], language: Language, console: Console) -> None:
    tally, texts = result.tally, HelpText(result.tally.policy, result.tally.book, language)
    is_good = all(one.is_as_told for one in result.helped)
    style = "bold green" if is_good else "bold red"
    console.print(Text(words["helped-good" if is_good else "helped-bad"], style=style))
    for one in result.helped:
        _print_marked(Text(texts.family(one)), console, is_good=one.is_as_told)
        for problem in one.problems:
            _print_marked(Text(f"{one.story.id}: {problem}", style="red"), console)
    if not tally.messages:
        return
    channels = words["comma"].join(
        f"{count} {words.get(f'by-{channel}', channel)}" for channel, count in tally.messages.most_common()
    )
    told = words["alerts"].format(alerts=tally.alerts, messages=tally.messages.total(), channels=channels)
    console.print(Text(f"  {told}"))


def _expectation(story: Story, policy: Policy, language: Language) -> str:
    words = WORDS[language]
    if not story.expected:
        return words["nothing"]
    told = []
    for one in story.expected:
        level = f" {level_text(one.level, policy, language)}" if one.level else ""
        told.append(f"{one.day} {done_text('warning.' + one.change, language)}{level}")
    return words["comma"].join(told)


def _first_day(tally: Tally) -> date:
    first = (tally.timeline.before or tally.timeline.days)[0].label
    return date.fromisoformat(first) if len(first) == 10 else date(int(first[:4]), 3 * int(first[-1]) - 2, 1)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
