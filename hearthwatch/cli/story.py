"""``hearthwatch story``: stories as tests of a policy."""

from __future__ import annotations

import json
from pathlib import Path

import click
import orjson

from casework.cases.book import Book
from casework.stories.acts import Staff
from casework.stories.judged import Outcome, differences_in_help
from casework.stories.staff_file import read_all_staff
from casework.stories.told import tell
from hearthwatch.casework_files import casebook_or_why
from hearthwatch.cli.groups import Group
from hearthwatch.cli.output import Lines
from hearthwatch.counted import counted
from hearthwatch.settings import load_settings
from rules.backtest import Backtest
from rules.calendar import day_from_text
from rules.compile import Rules, compile_policy
from rules.policy import Policy
from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog
from streams.errors import Fault, FileFaults, InputError
from streams.stories import Story, differences, in_order, read_stories, read_story


@click.group(cls=Group)
def story() -> None:
    """Stories: what happens to one household, and the warnings that it should lead to.

    A story is a YAML file that officials can write: docs/reference/stories.md says how.
    """


@story.command(epilog="Example: hearthwatch story run examples/stories")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE|FOLDER ...")
@click.option("--catalog", type=click.Path(path_type=Path), help="Who may send what; default: the setting.")
@click.option("--policy", type=click.Path(path_type=Path), help="The rules; default: the setting.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a story.")
def run(paths: tuple[Path, ...], catalog: Path | None, policy: Path | None, as_json: bool) -> None:
    """Tell each story to the rules and compare; exit status 1 if one comes out otherwise.

    Where a story tells what staff do, it is told a second time with them: their cases are worked by the book
    of cases of the settings, and what they find and grant goes back to the score.
    """
    read, rules_of, stories = _read(paths, catalog, policy)
    rules = compile_policy(rules_of, read)
    helped = _helped(stories, read, rules_of)
    failed = 0
    for told in stories:
        problems = differences(told, warnings_of(told, read, rules_of, rules))
        if told.id in helped:
            book, staff = helped[told.id]
            problems += with_staff(told, staff, book, rules)
        failed += bool(problems)
        if as_json:
            click.echo(orjson.dumps({"story": told.id, "name": told.name, "differences": problems}).decode())
            continue
        click.echo(f"{'FAILED' if problems else 'ok    '}  {told.id}: {told.name}")
        for problem in problems:
            click.echo(f"        {problem}")
    if not as_json:
        click.echo(f"{len(stories) - failed} of {len(stories)} stories came out as expected.", err=True)
    if failed:
        raise click.exceptions.Exit(1)


@story.command(epilog="Example: hearthwatch story events examples/stories --out stories.jsonl")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE|FOLDER ...")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Where the events go; - for standard output.",
)
@click.option("--catalog", type=click.Path(path_type=Path), help="Who may send what; default: the setting.")
@click.option("--policy", type=click.Path(path_type=Path), help="The rules; default: the setting.")
def events(paths: tuple[Path, ...], out: Path, catalog: Path | None, policy: Path | None) -> None:
    """Write the events of stories, one per line, in order of arrival."""
    _, _, stories = _read(paths, catalog, policy)
    lines = in_order(stories)
    with Lines(out) as file:
        file.write_all(lines)
    click.echo(
        f"{counted(len(lines), 'event')} of {counted(len(stories), 'story', 'stories')} in {out}", err=True
    )


def warnings_of(told: Story, catalog: Catalog, policy: Policy, rules: Rules) -> list[dict[str, object]]:
    """The warning messages that a story leads to, in a backtest of its own."""
    backtest = Backtest(catalog, policy, rules)
    for number, line in enumerate(told.lines, start=1):
        backtest.feed(number, line)
    backtest.finish(day_from_text(told.until))
    return [json.loads(warning.body) for warning in backtest.warnings]


def with_staff(story: Story, staff: Staff, book: Book, rules: Rules) -> list[str]:
    """In what a story differs from what is told once its staff are at work."""
    told = tell(story, staff, book, rules)
    problems = differences(story.when_helped(), told.warnings)
    problems += differences_in_help(staff, Outcome(told.events, told.alerts, told.back, told.suggested))
    return [f"with help: {problem}" for problem in problems]


def _helped(stories: list[Story], catalog: Catalog, policy: Policy) -> dict[str, tuple[Book, Staff]]:
    """What staff do, by the story's id, and the book that they go by; a line on why there is none."""
    if all(story.staff is None for story in stories):
        return {}
    book = casebook_or_why(load_settings(), catalog, policy)
    if isinstance(book, str):
        click.echo(f"Stories are told without their staff. {book}", err=True)
        return {}
    return {id: (book, staff) for id, staff in read_all_staff(stories, book).items()}


def _read(
    paths: tuple[Path, ...], catalog: Path | None, policy: Path | None
) -> tuple[Catalog, Policy, list[Story]]:
    """Catalogue, policy and stories; the faults of all story files at once."""
    settings = load_settings()
    read = read_catalog(catalog or settings.catalog)
    rules = read_policy(policy or settings.policy, read)
    levels, indicators = [level.id for level in rules.levels], [one.id for one in rules.indicators]
    stories: list[Story] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            if path.is_dir():
                found = read_stories(path, read, levels=levels, indicators=indicators)
                if not found:
                    raise InputError(f"{path}: no *.yaml in this folder")
                stories.extend(found)
            else:
                stories.append(read_story(path, read, levels=levels, indicators=indicators))
        except FileFaults as error:
            faults.extend(error.faults)
    if faults:
        raise FileFaults(faults)
    return read, rules, stories
