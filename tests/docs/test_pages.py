"""Links lead somewhere, indexes are whole, and what a page tells a reader to type exists."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest

from hearthwatch.cli import root
from tests.docs.pages import PAGES, ROOT, anchor, commands, headings, lines, links

NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    for number, target in links(page):
        if target.startswith(("https://", "http://")):
            continue
        path, _, fragment = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        assert to.exists(), f"{name}:{number}: {target}"
        if fragment and to.suffix == ".md":
            assert fragment in {anchor(heading) for heading in headings(to)}, f"{name}:{number}: {target}"


@pytest.mark.parametrize("name", NAMES)
def test_commands_exist_with_their_options(name: str) -> None:
    for number, text in commands(ROOT / name):
        where = f"{name}:{number}: {text}"
        words = shlex.split(text.partition(" #")[0].partition("|")[0].partition(" > ")[0], comments=False)
        program = words[0].rpartition("/")[2]
        if words[0].startswith("scripts/"):
            assert (ROOT / words[0]).exists(), where
        elif program == "hearthwatch":
            check(words[1:], where)


def check(words: list[str], where: str) -> None:
    """The words name a command, and each option is one of it."""
    command: click.Command = root
    context = click.Context(root, info_name="hearthwatch")
    for word in words:
        if word.startswith("-"):
            options = {option for one in command.get_params(context) for option in one.opts}
            assert word.partition("=")[0] in options, f"{where}: no option {word}"
        elif isinstance(command, click.Group):
            inner = command.get_command(context, word)
            if inner is None and command is root and words[0] == "--config":
                continue  # the value of a root option
            assert inner is not None, f"{where}: no command {word}"
            command, context = inner, click.Context(inner, info_name=word, parent=context)


@pytest.mark.parametrize("folder", ["how-to", "explanation", "reference"])
def test_the_index_names_every_page(folder: str) -> None:
    named = {(ROOT / "docs" / target).resolve() for _, target in links(ROOT / "docs" / "README.md")}
    for page in (ROOT / "docs" / folder).glob("*.md"):
        assert page.resolve() in named, page


def test_decision_records_are_short_and_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    named = {target for _, target in links(folder / "README.md")}
    records = sorted(folder.glob("[0-9]*.md"))
    assert {record.name for record in records} == named
    for record in records:
        text = record.read_text("utf-8")
        assert len(text.splitlines()) <= 40, record
        for part in ("## Context", "## Choice", "## Cost", "## Look again when"):
            assert part in text, f"{record}: {part}"


def test_the_changelog_tags_each_entry() -> None:
    for line in lines(ROOT / "CHANGELOG.md"):
        if line.text.startswith("- "):
            assert line.text.startswith(("- [wire] ", "- [policy] ", "- [ops] ")), line


def test_every_dependency_is_justified() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    table = {
        name.strip()
        for row in page.splitlines()
        if row.startswith("| ")
        for name in row.split("|")[1].split(",")
    }
    for requirement in project["dependencies"]:
        name = requirement.split("[")[0]
        for mark in "=<>~! ":
            name = name.split(mark)[0]
        assert name in table, name


def test_the_two_commands_of_the_readme_can_be_run() -> None:
    for script in ("scripts/demo", "scripts/test", "scripts/setup"):
        path: Path = ROOT / script
        assert path.stat().st_mode & 0o111, script
