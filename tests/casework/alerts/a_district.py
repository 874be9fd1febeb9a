"""A small district for the tests of alerts, and its days in simulated time."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache

from casework.alerts.alert import Alert
from casework.alerts.decide import decide
from casework.alerts.instants import NEVER
from casework.alerts.intents import Input, Intent, Outcome, Result, Send, Silenced, Wake
from casework.alerts.routes import Routes
from casework.alerts.routes_file import read_routes
from casework.alerts.silences import Silence
from casework.alerts.state import State, decode, encode, next_due
from rules.policy import Dimension, Level, Policy
from streams.timestamps import SECOND, parse_timestamp

ROUTES = """\
routes: test
version: 3
timezone: Asia/Shanghai
link: https://console.example/cases/{case}
desk: desk
communities:
  "420106007": {en: Huanghelou Street, zh: 黄鹤楼街道}
defaults:
  language: en
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 4h
  repeats: 2
  quiet: {from: "22:00", to: "07:30", levels: [blue]}
channels:
  - id: wecom
    kind: apprise
    rate: {messages: 10, per: 1m, digest: 10m}
    retry: {first: 10s, most: 2m, tries: 3}
  - id: sms
    kind: apprise
    rate: {messages: 10, per: 1m, digest: 10m}
    retry: {first: 10s, most: 2m, tries: 2}
  - id: hook
    kind: webhook
    address: ${HOOK_URL}
    secret: ${HOOK_SECRET}
    rate: {messages: 30, per: 1m, digest: 5m}
    retry: {first: 10s, most: 5m, tries: 3}
members:
  - {id: li, contacts: {wecom: "wecombot://${LI_KEY}", sms: "${LI_SMS}"}}
  - {id: wang, language: zh, contacts: {wecom: "wecombot://${WANG_KEY}"}}
  - {id: zhao, contacts: {wecom: "${ZHAO_WECOM}", sms: "${ZHAO_SMS}"}}
teams:
  - id: desk
    title: {en: District desk}
    tier: district
    for: "420106"
    channels: [hook]
  - id: street
    tier: street
    for: "420106007"
    channels: [wecom, sms]
    next: desk
    rota: {weeks: zhao}
  - id: community
    tier: community
    for: ["420106007003"]
    channels: [wecom, sms]
    next: street
    rota:
      starts: 2026-01-05
      handover: "08:30"
      weeks: [li, wang]
"""

POLICY = Policy(
    id="test",
    version=1,
    timezone="Asia/Shanghai",
    parameters={},
    dimensions=(
        Dimension("health", 50, "sum", {"en": "Health status", "zh": "健康状况"}),
        Dimension("economy", 50, "sum", {"en": "Economic status", "zh": "经济状况"}),
    ),
    levels=(
        Level("blue", 30, 20, {"en": "Blue", "zh": "蓝色"}),
        Level("red", 70, 60, {"en": "Red", "zh": "红色"}),
    ),
    indicators=(),
    keep_days=1,
    digest="",
    money_fields=frozenset(),
)

HERE, STREET_ONLY, NOWHERE = "420106007003", "420106007009", "420106001001"
"""Communities of the community's team, of the street's, and of the desk's."""


@cache
def routes(text: str = ROUTES) -> Routes:
    return read_routes("routes.yaml", POLICY, text.encode())


def edited(*changes: tuple[str, str]) -> str:
    """The routes' text with some parts exchanged, each of which stands there."""
    text = ROUTES
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def at(text: str) -> int:
    """An instant of Wuhan, as ``2026-03-02 10:00`` or with seconds."""
    seconds = ":00" if text.count(":") == 1 else ""
    instant = parse_timestamp(f"{text.replace(' ', 'T')}{seconds}+08:00")
    assert instant is not None
    return instant


def alert(
    id: str, kind: str = "raised", level: str = "blue", community: str | None = HERE, **more: object
) -> Alert:
    """An alert ``<case>-<version>`` of the household of its case."""
    case = id.rpartition("-")[0]
    fields = {"case": case, "household": case, "dimensions": ("health",), **more}
    return Alert(id=id, kind=kind, level=level, community=community, **fields)  # type: ignore[arg-type]


Behaviour = Callable[[Send, int], str]


def all_sent(_: Send, __: int) -> str:
    return "sent"


class District:
    """Dispatch in simulated time: each message is answered a second later, as ``behaviour`` says.

    The state is written down and read back before each input, as after a crash; not with ``reread=False``.
    """

    def __init__(
        self,
        behaviour: Behaviour = all_sent,
        text: str = ROUTES,
        start: str = "2026-03-02 10:00",
        *,
        reread: bool = True,
    ) -> None:
        self.routes = routes(text)
        self.behaviour = behaviour
        self.state = State()
        self.reread = reread
        self.now = at(start)
        self.coming: list[tuple[int, int, Input]] = []
        self.number = 0
        self.sends: list[tuple[int, Send]] = []
        self.outcomes: list[Outcome] = []
        self.log: list[tuple[Input, int]] = []

    def after(self, seconds: float, *inputs: Input) -> None:
        """Let inputs come so many seconds from now."""
        for one in inputs:
            self.number += 1
            heapq.heappush(self.coming, (self.now + round(seconds * SECOND), self.number, one))

    def feed(self, *inputs: Input) -> None:
        """Let inputs come now, and their answers."""
        self.after(0, *inputs)
        self.run(0)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + round(seconds * SECOND)
        while True:
            due = next_due(self.state)
            coming = self.coming[0][0] if self.coming else NEVER
            if min(due, coming) > until:
                break
            if coming <= due:
                self.now = max(self.now, coming)
                self._decide(heapq.heappop(self.coming)[2])
            else:
                self.now = max(self.now, due)
                self._decide(Wake())
        self.now = until

    def run_out(self, most_days: int = 60) -> None:
        """Let time pass until nothing waits any more."""
        end = self.now + most_days * 86_400 * SECOND
        while self.coming or next_due(self.state) < NEVER:
            step = min(next_due(self.state), self.coming[0][0] if self.coming else NEVER)
            assert step <= end, "it does not come to rest"
            self.run(max(0, step - self.now) / SECOND)

    def _decide(self, input: Input) -> None:
        self.log.append((input, self.now))
        if self.reread:
            self.state = decode(encode(self.state))
        self.state, intents = decide(self.state, input, self.now, self.routes)
        self._carry_out(intents)

    def _carry_out(self, intents: Iterable[Intent]) -> None:
        for intent in intents:
            if isinstance(intent, Outcome):
                self.outcomes.append(intent)
                continue
            self.sends.append((self.now, intent))
            outcome = self.behaviour(intent, self.now)
            if outcome != "lost":
                result = Result(
                    intent.message, intent.channel, intent.member, intent.attempt, outcome,  # type: ignore[arg-type]
                )  # fmt: skip
                self.after(1, result)

    # -- what tests ask ----------------------------------------------------------------------------------
    def sent(self, kind: str | None = None) -> list[Send]:
        return [send for _, send in self.sends if kind in (None, send.kind)]

    def fates(self, alert: str) -> list[str]:
        """What became of an alert, in order, but for repeats."""
        return [one.fate for one in self.outcomes if one.alert == alert and one.kind != "repeat"]

    def ends(self) -> Counter[str]:
        """How many alerts have come to which end; several ends of one are told as such."""
        found: dict[str, set[str]] = {}
        for one in self.outcomes:
            if one.fate in ("sent", "replaced", "resolved") and one.kind != "repeat":
                found.setdefault(one.alert, set()).add(one.fate)
        return Counter("+".join(sorted(fates)) for fates in found.values())


def ids(send: Send) -> list[str]:
    """The alerts that a message tells."""
    return [one["id"] for one in send.data["alerts"]]


def silence(
    id: str = "s1", starts: str = "2026-03-02 09:00", ends: str = "2026-03-03 09:00", **match: object
) -> Silenced:
    return Silenced(Silence(id, "chen", "moving house", at(starts), at(ends), **match))  # type: ignore[arg-type]


def times(district: District) -> list[float]:
    """Seconds from the start to each message."""
    return [(when - at("2026-03-02 10:00")) / 1_000_000 for when, _ in district.sends]
