"""The dispatch stage: alerts, answers, silences and ticks in; what became of alerts, and what to send, out.

It only decides. What it decides to send (:attr:`agents.lanes.Part.after`) is written down in the commit,
and carried out afterwards (:mod:`agents.deliveries`); what came of it comes back as a record of the same
log.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from agents.cases import CAUSE, EVENT_TYPE, cause_text
from agents.deciding import Stage
from agents.lanes import Lane, Part
from agents.person import fail
from agents.stage import Engine
from casework.alerts import state as states
from casework.alerts.alert_events import event_of
from casework.alerts.inputs import (
    ROUTES_KEY,
    Clock,
    Record,
    RoutesInForce,
    decode_held,
    decode_record,
    encode_held,
    fold,
    is_district,
    is_held_routes,
)
from casework.alerts.instants import NEVER
from casework.alerts.intents import Intent, Outcome, Result, Send
from casework.alerts.routes import Routes
from casework.alerts.routes_file import read_routes
from casework.alerts.state import State
from rules.policy import Policy
from streams.errors import FileFaults, LedgerError
from streams.records import ALERT_EVENTS, ALERTS, DEADLETTERS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is to be sent once the commit is through; answers (``Result``) stand beside them.

    Attributes:
        key: the district.
        at: when that was decided, in microseconds since 1970.
    """

    key: str
    send: Send
    at: int


@dataclass(slots=True)
class _Open:
    """A district in a part.

    Attributes:
        before: its bytes before.
        applied: what was applied since, with its instant and the routes.
    """

    before: bytes | None
    state: State
    counts: Counter[str]
    applied: list[tuple[Record, int, Routes]] = field(default_factory=list)


class DispatchStage(Stage):
    """Folds ``alerts`` by :func:`casework.alerts.inputs.fold`.

    The routes are in the log too: whoever takes a partition over with another file appends it, and it holds
    from there on. So a replay decides by the routes of then, and knows what was answered.

    Args:
        routes: the worker's own; they hold where the log has none yet.
        policy: whose levels and dimensions routes speak of.
        clock: in ``log`` what is sent is stamped with the time of the record behind it.
    """

    name: ClassVar[str] = "dispatch"
    max_part: ClassVar[int] = 500

    def __init__(self, routes: Routes, policy: Policy, *, clock: Clock = "wall") -> None:
        self.routes = routes
        self.clock: Clock = clock
        self.topics = (ALERTS,)
        self.sends_to = (ALERT_EVENTS, ALERTS, DEADLETTERS)
        self.begun: Callable[[Lane], None] = lambda lane: None
        """Told of a lane that was claimed."""
        self._policy = policy
        self._read = {routes.digest: routes}

    def begin(self, engine: Engine, lane: Lane) -> None:
        """A lane was claimed: what an earlier owner left unanswered may have to be sent again."""
        self.begun(lane)

    # -- routes ----------------------------------------------------------------------------------------
    def read_state(self, held: bytes | None) -> Routes:
        """The routes that a state holds (:func:`routes_key`); the worker's own where it is not there."""
        if held is None:
            logger.warning("the routes of the log are not there any more: the worker's own hold")
            return self.routes
        return self._read_text(decode_held(held))

    def _read_text(self, held: RoutesInForce) -> Routes:
        """The routes of the log; the worker's own where today's policy has not their levels any more."""
        if held.digest not in self._read:
            try:
                read = read_routes("routes in the log", self._policy, held.text.encode())
            except FileFaults as error:
                logger.warning("routes of the log do not fit the policy, the worker's own hold: %s", error)
                read = self.routes
            self._read[held.digest] = read
        return self._read[held.digest]

    def course(self, lane: Lane) -> Routes:
        """Which routes hold at the end of what was read of a lane."""
        if lane.memo is None:
            is_in_log = ROUTES_KEY in lane.marks
            lane.memo = self.read_state(lane.states.get(routes_key(lane))) if is_in_log else self.routes
        routes: Routes = lane.memo
        return routes

    def _follow(self, lane: Lane, part: Part, offset: int, record: RoutesInForce) -> None:
        """From here on other routes hold. Those before stay, for who begins at an earlier snapshot."""
        older = lane.marks.get(ROUTES_KEY)
        if older is not None and older[1] != older[0]:
            part.states[_key(older[1])] = None
        lane.marks[ROUTES_KEY] = part.marks[ROUTES_KEY] = (offset, offset if older is None else older[0])
        part.states[_key(offset)] = encode_held(record)
        lane.memo = self._read_text(record)

    # -- the log ---------------------------------------------------------------------------------------
    def read(self, lane: Lane, part: Part, records: Sequence[Any]) -> tuple[Any, Iterable[str]]:
        """Raw records with their keys and what was read of them; the districts, and the routes that hold."""
        out: list[tuple[Any, str, Record]] = []
        keys: set[str] = set()
        for record in records:
            try:
                key = record.key.decode()
                read = decode_record(record.value)
                if isinstance(read, RoutesInForce) != (key == ROUTES_KEY):
                    raise ValueError("the key does not fit the record")
                if not isinstance(read, RoutesInForce):
                    if not is_district(key):
                        raise ValueError("the key is no district")
                    keys.add(key)
                out.append((record, key, read))
            except Exception as error:  # noqa: BLE001 - set aside, whatever it is
                fail(part, lane, record, None, error)
        if lane.memo is None and ROUTES_KEY in lane.marks:
            keys.add(routes_key(lane))
        return out, keys

    def decide(self, lane: Lane, part: Part, read: Any) -> None:
        """Fold each district through its records, in the order of the log."""
        opened: dict[str, _Open] = {}
        for raw, key, record in read:
            if isinstance(record, RoutesInForce):
                self._follow(lane, part, raw.offset, record)
                continue
            one = opened.get(key)
            if one is None:
                one = opened[key] = _open(lane.states[key])
            routes = self.course(lane)
            at = raw.timestamp * 1000  # the broker's clock, or the sender's where that is the clock
            try:
                one.state, intents = fold(one.state, record, at, routes, self.clock, is_more=True)
            except LedgerError:
                raise
            except Exception as error:  # noqa: BLE001 - set aside, whatever it is
                one.state = self._replayed(one)
                fail(part, lane, raw, None, error)
                continue
            one.applied.append((record, at, routes))
            self._carry(lane, part, raw, key, intents, routes)
            if isinstance(record, Result):
                part.tallies["messages", record.channel, record.outcome] += 1
                part.after.append(record)
            self._tell(part, one.state, intents)
        moved: Counter[str] = Counter()
        for key, one in opened.items():
            after = states.encode(one.state)
            if after != one.before:
                part.states[key] = after
                part.next_days[key] = _due(one.state)
                moved.update(counts_of(one.state))
                moved.subtract(one.counts)
        for name, change in moved.items():
            if change:
                lane.counts[name] = part.counts[name] = lane.counts.get(name, 0) + change
        part.tallies["records", self.name] += part.count

    def _replayed(self, one: _Open) -> State:
        """The state from before a record that the program failed on: it was changed in place."""
        state = _open(one.before).state
        for record, at, routes in one.applied:
            state, _ = fold(state, record, at, routes, self.clock)
        return state

    def _carry(
        self, lane: Lane, part: Part, raw: Any, key: str, intents: Sequence[Intent], routes: Routes
    ) -> None:
        for number, intent in enumerate(intents):
            if isinstance(intent, Send):
                part.after.append(Delivery(key, intent, max(raw.timestamp * 1000, 0)))
                continue
            cause = cause_text(lane, raw.offset, number)
            headers = [EVENT_TYPE, (CAUSE, cause.encode())]
            body = event_of(intent, cause, routes)
            part.sends.append((ALERT_EVENTS, intent.household.encode(), body, headers))

    @staticmethod
    def _tell(part: Part, state: State, intents: Sequence[Intent]) -> None:
        for intent in intents:
            if not isinstance(intent, Outcome):
                continue
            part.tallies["alerts", intent.fate] += 1
            came = state.seen.get(intent.alert, state.seen.get(intent.alert.rpartition("-")[0]))
            if intent.fate == "sent" and intent.kind != "repeat" and came is not None:
                seconds = (intent.at - came) / 1e6
                part.observed.append(("hearthwatch_alert_seconds", (intent.level,), seconds))

    # -- what stands beside the states -----------------------------------------------------------------
    def due(self, state: bytes) -> int | None:
        """When the district has to be woken, in microseconds since 1970."""
        return None if is_held_routes(state) else _due(states.decode(state))

    def counted(self, states_of: Iterable[bytes]) -> dict[str, int]:
        """Alerts and messages that wait."""
        found: Counter[str] = Counter()
        for state in states_of:
            if not is_held_routes(state):
                found.update(counts_of(states.decode(state)))
        return dict(found)

    def anew(self, state: bytes) -> bytes:
        """A state in today's form."""
        return state if is_held_routes(state) else states.encode(states.decode(state))

    def decoded(self, state: bytes) -> Any:
        """A district's alerts; of routes their bytes."""
        return state if is_held_routes(state) else states.decode(state)


def routes_key(lane: Lane) -> str:
    """The key of the state that holds the routes of a lane, if its log has any."""
    return key_of_routes(lane.marks[ROUTES_KEY])


def key_of_routes(mark: tuple[int, int]) -> str:
    """The key of the state that holds the routes which a partition's mark names (``ROUTES_KEY``).

    Those before stand beside it (:meth:`DispatchStage._follow`).
    """
    return _key(mark[0])


def counts_of(state: State) -> Counter[str]:
    """What a district adds to the counters of its partition."""
    found: Counter[str] = Counter()
    for group in state.groups.values():
        for one in group.waiting:
            found["waiting/silenced" if one.silence else "waiting/grouped"] += 1
    for digest in state.digests.values():
        found["waiting/digest"] += len(digest.alerts)
    for message in state.messages.values():
        if not message.reached:
            found["waiting/message"] += len(message.alerts)
            if message.tries > 1 or message.rounds or message.lost:
                found["unsent"] += 1
    return +found


def _open(before: bytes | None) -> _Open:
    state = State() if before is None else states.decode(before)
    return _Open(before, state, counts_of(state))


def _due(state: State) -> int | None:
    due = states.next_due(state)
    return None if due >= NEVER else due


def _key(offset: int) -> str:
    return f"{ROUTES_KEY}-{offset}"
