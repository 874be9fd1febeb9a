"""A district in which two stories are lived: real servers, real workers, and people who can be reached."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from casework.stories.staff_file import read_all_staff
from deploy.local import free_ports
from hearthwatch.casework_files import casebook
from hearthwatch.connections import kafka_connection, local_stack
from hearthwatch.demo.helping import Helped, Messages
from hearthwatch.demo.play import Play
from hearthwatch.demo.tally import Tally
from hearthwatch.demo.timeline import Day, Timeline, tell
from hearthwatch.desk import Desk, HouseholdView
from hearthwatch.setting_sources import variable_of
from hearthwatch.settings import Settings, load_settings
from hearthwatch.worker_config import catalog_and_policy
from streams.deadletter_topic import read_dead_letters
from streams.stories import read_story
from tests.agents.receivers import Mailbox, Site, mail_server, web_server
from tests.casework.stories.a_story import HELPED, STORIES

ROOT = Path(__file__).parents[3]
SECRET = "a secret of the hook's"

ROUTES = """\
routes: live
version: 1
timezone: Asia/Shanghai
link: https://console.example/cases/{case}
desk: district
defaults: {language: en, repeats: 0}
channels:
  - {id: mail, kind: apprise}
  - {id: hook, kind: webhook, address: "${HOOK_URL}", secret: "${HOOK_SECRET}"}
communities:
  "420106": {en: Wuchang District}
members:
  - {id: lin, contacts: {mail: "${LIN_MAIL}"}}
  - {id: gao, contacts: {mail: "${GAO_MAIL}"}}
teams:
  - {id: district, tier: district, for: ["420106"], channels: [hook]}
  - id: community-007003
    tier: community
    for: ["420106007003"]
    channels: [mail]
    rota: {weeks: [{workdays: lin, weekends: lin}], holidays: [gao]}
  - {id: community-011006, tier: community, for: ["420106011006"], channels: [hook]}
"""


@dataclass(frozen=True)
class Lived:
    """What is there once both stories were lived.

    Attributes:
        warned: in what the warnings differ from those that are told.
        households: as the desk shows them, by story.
        dead: reasons of dead letters.
    """

    helped: tuple[Helped, ...]
    warned: list[str]
    households: dict[str, HouseholdView]
    dead: list[str]
    mailbox: Mailbox
    site: Site

    def of(self, story: str) -> Helped:
        """How the help of a story came out."""
        return next(one for one in self.helped if one.story.id == story)


class Town:
    """Settings, servers and workers, of which none is shared with others."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        routes = folder / "routes.yaml"
        routes.write_text(ROUTES, "utf-8")
        kafka, controller, valkey = free_ports(3)
        given: dict[str, Any] = {
            "data_dir": folder / "data",
            "clock": "log",
            "routes": routes,
            "kafka_port": kafka,
            "kafka_controller_port": controller,
            "valkey_port": valkey,
            "life_partitions": 1,
            "person_partitions": 2,
            "household_partitions": 2,
            "warnings_partitions": 2,
            "case_partitions": 2,
            "alerts_partitions": 1,
        }
        for stage in ("intake", "person", "household", "forward", "cases", "dispatch"):
            given[f"{stage}_metrics_port"] = 0
        self.settings: Settings = load_settings(**given)
        variables = {variable_of(name): str(value) for name, value in given.items()}
        self._environment = {**os.environ, **variables, **environment}

    def up(self) -> None:
        """Everything, as `hearthwatch up` starts it."""
        self._run("up", "--detach", seconds=240)

    def down(self) -> None:
        self._run("down", seconds=120)
        local_stack(self.settings).down()

    def _run(self, *args: str, seconds: float) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "hearthwatch", *args],
            cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


@asynccontextmanager
async def town(folder: Path, mailbox: Mailbox, site: Site) -> AsyncIterator[Town]:
    """A town that is up, whose people can be reached."""
    mail = f"mailto://127.0.0.1:{mailbox.port}?from=hearthwatch@wuchang.example&to="
    reached = {"HOOK_URL": f"{site.url}/alerts", "HOOK_SECRET": SECRET}
    reached |= {"LIN_MAIL": f"{mail}lin@wuchang.example", "GAO_MAIL": f"{mail}gao@wuchang.example"}
    found = Town(folder, reached)
    try:
        await asyncio.to_thread(found.up)
        yield found
    finally:
        await asyncio.to_thread(found.down)


async def live(folder: Path) -> Lived:
    """Let both stories be lived, each event and each act when all before it is known."""
    with mail_server() as mailbox:
        async with web_server() as site, town(folder, mailbox, site) as found:
            settings = found.settings
            catalog, policy = catalog_and_policy(settings)
            book = casebook(settings, catalog, policy)
            read = [read_story(STORIES / f"{name}.yaml", catalog) for name in HELPED]
            stories = tuple(story.when_helped() for story in read)
            staff = tuple(read_all_staff(stories, book).values())
            days: dict[str, Day] = {}
            tell(stories, staff, days)
            timeline = Timeline(
                before=[],
                days=[days[label] for label in sorted(days)],
                until=date.fromisoformat(max(story.until for story in stories)),
                stories=stories,
                households=frozenset(story.household for story in stories),
                staff=staff,
            )
            tally = Tally(timeline, policy, book)
            play = Play(settings, catalog, policy, timeline, tally, Messages(folder, ()))
            await play.run()
            async with Desk.open(settings) as desk:
                views = {story.id: await desk.household(story.household) for story in stories}
            dead = await asyncio.to_thread(lambda: list(read_dead_letters(kafka_connection(settings))))
    return Lived(
        helped=play.helped,
        warned=[problem for one in tally.outcomes() for problem in one.problems],
        households={id: view for id, view in views.items() if view is not None},
        dead=[one.reason or "" for one in dead],
        mailbox=mailbox,
        site=site,
    )
