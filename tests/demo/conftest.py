"""The demo's parts as they are made without servers."""

from __future__ import annotations

import pytest

from casework.cases.book import Book
from casework.stories.judged import Outcome, differences_in_help
from casework.stories.told import tell
from hearthwatch.casework_files import casebook
from hearthwatch.demo.helping import Helped
from hearthwatch.demo.tally import Tally
from hearthwatch.demo.timeline import Timeline, read_timeline
from hearthwatch.settings import load_settings
from rules.compile import compile_policy
from rules.policy import Policy
from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return read_catalog(load_settings().catalog)


@pytest.fixture(scope="module")
def policy(catalog: Catalog) -> Policy:
    return read_policy(load_settings().policy, catalog)


@pytest.fixture(scope="module")
def book(catalog: Catalog, policy: Policy) -> Book:
    return casebook(load_settings(), catalog, policy)


@pytest.fixture(scope="module")
def timeline(catalog: Catalog, book: Book) -> Timeline:
    return read_timeline(catalog, book)


@pytest.fixture
def tally(timeline: Timeline, policy: Policy, book: Book) -> Tally:
    return Tally(timeline, policy, book)


@pytest.fixture(scope="module")
def helped(timeline: Timeline, policy: Policy, catalog: Catalog, book: Book) -> tuple[Helped, ...]:
    """The help of the stories as it comes out without servers."""
    stories = {story.household: story for story in timeline.stories}
    found = []
    for staff in timeline.staff:
        told = tell(stories[staff.household], staff, book, compile_policy(policy, catalog))
        seen = Outcome(told.events, told.alerts, told.back, told.suggested)
        problems = differences_in_help(staff, seen)
        found.append(Helped(stories[staff.household], staff, seen, tuple(problems)))
    return tuple(found)
