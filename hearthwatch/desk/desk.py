"""The desk itself: reads states and index from the ledger, sends commands, follows what becomes of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final, Self

from agents.case_index import NOWHERE, STAGE, entry_of, open_cases
from agents.flow import Flow
from agents.ledger import Ledger
from casework.assistance.suggest import situation
from casework.cases import state_format
from casework.cases.case import CaseState
from casework.cases.case import Household as Home
from casework.cases.commands import Command, encode_record
from casework.cases.scopes import has_district, is_in
from hearthwatch.connections import kafka_arguments, kafka_connection
from hearthwatch.desk.duplicates import other_case
from hearthwatch.desk.earlier import as_it_was, ids_of, may_have_had
from hearthwatch.desk.following import Answers, Following, read_alert_event, read_event
from hearthwatch.desk.log_time import newest_instant
from hearthwatch.desk.scores import Scores
from hearthwatch.desk.suggested import suggested
from hearthwatch.desk.views import (
    Answer,
    CaseLine,
    CaseView,
    Change,
    Counted,
    HouseholdView,
    Page,
    Suggestion,
    answer_of,
    case_of,
    case_view,
    household_view,
    line_of,
)
from hearthwatch.running import in_force, open_ledger
from hearthwatch.settings import Settings
from rules.explain import Explanation, sentences
from rules.policy import Policy
from rules.words import Language
from streams.catalog import Catalog
from streams.errors import PublishTimeoutError
from streams.partition_log import PartitionLog
from streams.partitions import partition_of
from streams.records import ALERT_EVENTS, CASE_COMMANDS, CASE_EVENTS, HOUSEHOLD_FACTS
from streams.timestamps import parse_timestamp

#: Lines of the index that are read at a time, from each partition.
_CHUNK: Final = 500
#: From one look whether a commit has come to the next.
_COMMIT_SECONDS: Final = 0.005
#: How far the clocks of two brokers may be apart: the log of commands and that of events have each its own.
_MARGIN_MS: Final = 600_000


class Desk:
    """Open it with :meth:`open`; one desk serves many at once.

    What is overdue is so by the wall clock, and with ``clock: log`` by the newest record of the log of cases.
    """

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._flow = Flow(kafka_arguments(settings), ledger)
        self._counts: dict[str, int] = {}
        self._scores = Scores(settings, ledger)
        self._answers = Answers(kafka_arguments(settings), clock=settings.clock)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Self]:
        """A desk on the running system; connects at once, and closes at the end.

        Raises:
            TransportError: a server does not answer, or a topic is missing.
        """
        settings = in_force(settings)
        ledger = open_ledger(settings)
        desk = cls(settings, ledger)
        try:
            await desk._connect()
            yield desk
        finally:
            await desk._answers.close()
            await desk._flow.close()
            await ledger.close()

    async def _connect(self) -> None:
        for topic in (CASE_COMMANDS, HOUSEHOLD_FACTS):
            self._counts[topic] = len(await self._flow.partitions([topic]))

    # -- reading ---------------------------------------------------------------------------------------
    async def now(self) -> int:
        """What time it is for deadlines, in microseconds since 1970.

        Raises:
            TransportError: no broker answers (``clock: log``).
        """
        if self._settings.clock == "log":
            connection = kafka_connection(self._settings)
            newest = await asyncio.to_thread(newest_instant, connection, CASE_COMMANDS)
            if newest is not None:
                return newest
        return int(time.time() * 1_000_000)

    async def cases(
        self,
        scope: Sequence[str] | None,
        *,
        level: str | None = None,
        state: CaseState | None = None,
        overdue: bool | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page:
        """Open cases of some communities, in the order of :class:`Page`.

        Args:
            scope: codes of 12, 9 or 6 digits; one of a district also means what has no community;
                None for all.
            after: the ``next`` of the page before.

        Raises:
            TransportError: Redis does not answer.
        """
        found: list[CaseLine] = []
        last = None
        now = await self.now()
        async for member in self._members(scope, after):
            line = line_of(entry_of(member), now)
            if (
                (level is not None and line.level != level)
                or (state is not None and line.state != state)
                or (overdue is not None and line.is_overdue != overdue)
            ):
                continue
            if len(found) == limit:
                return Page(found, last)
            found.append(line)
            last = member
        return Page(found, None)

    async def counts(self, scope: Sequence[str] | None = None) -> list[Counted]:
        """Open cases, counted by community, level and state.

        Args:
            scope: as of :meth:`cases`; None for all.
        """
        now = await self.now()
        cases: Counter[tuple[str | None, str, str]] = Counter()
        late: Counter[tuple[str | None, str, str]] = Counter()
        async for member in self._members(scope, None):
            entry = entry_of(member)
            key = entry.community, entry.level, entry.state
            cases[key] += 1
            late[key] += entry.due is not None and entry.due <= now
        return [Counted(*key, count, late[key]) for key, count in cases.items()]

    async def case(
        self, id: str, *, earlier: bool = False, scope: Sequence[str] | None = None
    ) -> CaseView | None:
        """One case, open or closed last; None where the household keeps no such case whole.

        Args:
            earlier: also one that was closed before that one, as it stood then: all of the household's
                partition of the log of cases is read.
            scope: as of :meth:`cases`; what is elsewhere is as if it were not there, and not read either: how
                long an answer takes would tell of it.

        Raises:
            TransportError: no broker answers (``earlier``).
        """
        home = await self._home(id.rpartition("-")[0])
        if home is None:
            return None
        case = case_of(home, id)
        if case is None and earlier and may_have_had(home, id) and _is_within(home.community, scope):
            case = as_it_was(await self.history(home.id), home.id, id)
        found = None if case is None else case_view(case, home)
        return found if found is not None and _is_within(found.community, scope) else None

    async def other_case(self, command: Command) -> str | None:
        """The other household's case that a command names; None where it names none, or was answered before.

        What is sent again is answered again, whatever has become of that case.
        """
        other = other_case(command)
        home = None if other is None else await self._home(command.household)
        return None if home is not None and command.id in home.answered else other

    async def has_case(self, id: str, scope: Sequence[str]) -> bool:
        """Whether there is a case, or was, that is among some communities; by what its household remembers.

        Args:
            scope: as of :meth:`cases`.
        """
        home = await self._home(id.rpartition("-")[0])
        if home is None or id not in ids_of(home):
            return False
        is_open = home.case is not None and home.case.id == id
        return is_in(home.case.community if is_open and home.case else home.community, scope)

    async def household(self, id: str, *, language: Language = "en") -> HouseholdView | None:
        """A household's cases, its level and why; None where neither the score nor a case knows it."""
        home, explained = await asyncio.gather(self._home(id), self._explained(id, language))
        if home is None and explained is None:
            return None
        home = home or Home(id)
        if explained is None:
            return household_view(home, community=home.community, level=None, score=None, why=[])
        found = explained[0]
        return household_view(
            home,
            community=found.community,
            level=found.level,
            score=found.score,
            why=sentences(found, language),
        )

    async def history(self, household: str, *, case: CaseView | None = None) -> list[dict[str, Any]]:
        """The events of a household, in order, each once.

        All of the household's partition is read.

        Args:
            case: only of this case; with the brokers' clock only what came since it was opened is read.

        Raises:
            TransportError: no broker answers.
        """
        return await asyncio.to_thread(self._events, CASE_EVENTS, read_event, household, case)

    async def alerts(self, household: str, *, case: CaseView | None = None) -> list[dict[str, Any]]:
        """What became of the alerts about a household, by time, each once: CloudEvents of ``alert.events``.

        Each says who was told of what and when: a team and a channel, and nobody's name or address.

        Args:
            case: as of :meth:`history`.

        Raises:
            TransportError: no broker answers.
        """
        found = await asyncio.to_thread(self._events, ALERT_EVENTS, read_alert_event, household, case)
        # Each district is told by its own partition, so what moved may stand out of order.
        return sorted(found, key=lambda event: parse_timestamp(str(event.get("time"))) or 0)

    async def suggest(self, id: str, *, language: Language = "en") -> list[Suggestion]:
        """What is worth asking about for the household of a case: by its causes, or its indicators."""
        household = id.rpartition("-")[0]
        home, explained = await asyncio.gather(self._home(household), self._explained(household, language))
        case = None if home is None else case_of(home, id)
        if case is None or explained is None:
            return []
        causes = () if case.assessment is None else tuple(case.assessment.causes)
        explanation, policy, catalog = explained
        # The case's level: the score may have gone down since, and what is open is still to be helped.
        at = replace(situation(explanation, causes), level=case.level)
        return await asyncio.to_thread(suggested, self._settings.measures, at, policy, catalog, language)

    # -- writing ---------------------------------------------------------------------------------------
    async def send(self, command: Command, *, timeout: float = 30) -> Answer:  # noqa: ASYNC109 - agreed so
        """Append a command, and wait for the event that answers it, and until reads show what it did.

        Args:
            timeout: seconds.

        Raises:
            InputError: the command is too large.
            PublishTimeoutError: no answer came in time; the command may still be carried out.
            TransportError: no broker answers.
        """
        value = encode_record(command)
        answer = None
        try:
            async with asyncio.timeout(timeout):
                answer = answer_of(await self._answers.ask(command, value))
                if answer.reason is None:
                    await self._shown(command, answer.version)
                return answer
        except TimeoutError:
            if answer is not None:  # it is on record, and will be carried on
                return answer
            raise PublishTimeoutError(
                f"the command {command.id} was not answered within {timeout:.0f} s; it may still be carried"
                " out: look at the case, or send it again with the same id"
            ) from None

    async def follow(self, scope: Sequence[str], *, since: str | None = None) -> Following:
        """Follow the events of cases of some communities; close what is given.

        Args:
            scope: as of :meth:`cases`.
            since: the ``place`` of a change: go on after it. From now on without.

        Raises:
            InputError: ``since`` is no place.
            TransportError: no broker answers.
        """
        return await Following.open(kafka_arguments(self._settings), scope, since)

    async def changes(self, scope: Sequence[str], *, since: str | None = None) -> AsyncIterator[Change]:
        """Events of cases as they come, for ever, each perhaps more than once; see :meth:`follow`."""
        following = await self.follow(scope, since=since)
        try:
            async for change in following.events():
                yield change
        finally:
            await following.close()

    # -- within ----------------------------------------------------------------------------------------
    async def _members(self, scope: Sequence[str] | None, after: str | None) -> AsyncIterator[str]:
        partitions = range(self._counts[CASE_COMMANDS])
        # Also where others are there: a list without a lost partition's cases would seem whole.
        await self._ledger.check_held(STAGE, [(CASE_COMMANDS, number) for number in partitions])
        for prefix in prefixes(scope):
            if after is not None and after > prefix + "\x7f":
                continue  # the page before was past it
            at = after
            while True:
                some = await open_cases(self._ledger, partitions, prefix, limit=_CHUNK, after=at)
                for member in some:
                    yield member
                if len(some) < _CHUNK:
                    break
                at = some[-1]

    async def _shown(self, command: Command, version: int) -> None:
        """Wait until the ledger has a case at a version: its event goes out a moment before its commit."""
        while True:
            home = await self._home(command.household)
            case = None if home is None else case_of(home, command.case)
            if home is not None and (case is None or case.version >= version):
                return
            await asyncio.sleep(_COMMIT_SECONDS)

    async def _home(self, household: str) -> Home | None:
        partition = partition_of(household.encode(), self._counts[CASE_COMMANDS])
        raw = (await self._ledger.read(STAGE, CASE_COMMANDS, partition, [household]))[0]
        if raw is None:
            await self._ledger.check_held(STAGE, [(CASE_COMMANDS, partition)])
            return None
        return state_format.decode(raw)

    async def _explained(self, id: str, language: Language) -> tuple[Explanation, Policy, Catalog] | None:
        return await self._scores.explained(id, self._counts[HOUSEHOLD_FACTS], language)

    def _events(
        self,
        topic: str,
        read: Callable[[bytes | None], dict[str, Any] | None],
        household: str,
        case: CaseView | None,
    ) -> list[dict[str, Any]]:
        """A household's events on a topic that is keyed by household, each once, in its order."""
        key = household.encode()
        found: dict[str, dict[str, Any]] = {}
        opened = None if case is None or self._settings.clock == "log" else parse_timestamp(case.opened)
        since_ms = None if opened is None else max(0, opened // 1000 - _MARGIN_MS)
        log = PartitionLog(kafka_connection(self._settings), topic, key)
        try:
            for record in log.records(since_ms=since_ms):
                if record.key == key:
                    event = read(record.value)
                    if event is not None and (case is None or event["data"]["case"] == case.id):
                        found.setdefault(event["id"], event)
        finally:
            log.close()
        return list(found.values())


def _is_within(community: str | None, scope: Sequence[str] | None) -> bool:
    return scope is None or is_in(community, scope)


def prefixes(scope: Sequence[str] | None) -> list[str]:
    """The ranges of the index that a scope means, in its order, none within another.

    Args:
        scope: codes; None for all.
    """
    if scope is None:
        return [""]
    found: list[str] = []
    for code in sorted(set(scope)):
        if not found or not code.startswith(found[-1]):
            found.append(code)
    nowhere = [f"{NOWHERE}|"] if has_district(found) else []
    return nowhere + found
