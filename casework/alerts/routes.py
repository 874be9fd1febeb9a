"""Who is told of what, and by which ways: the routes of a district, checked and frozen.

The file format is docs/reference/routes.md; :mod:`casework.alerts.routes_file` reads it. Spans are in
microseconds.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from casework.alerts.alert import TIERS, Tier
from casework.alerts.rota import Rota
from casework.workdays import Workdays
from rules.policy import Titles
from streams.timestamps import DAY, HOUR, MINUTE, SECOND

ChannelKind = Literal["apprise", "webhook", "alertmanager", "file", "terminal"]
Language = Literal["en", "zh"]

CHANNEL_KINDS: Final[tuple[ChannelKind, ...]] = ("apprise", "webhook", "alertmanager", "file", "terminal")
PREFIXES: Final = (12, 9, 6)
"""Digits of a community, a street and a district: the longest prefix that is routed wins."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``messages`` at once, and then one each ``per / messages``; what is beyond waits for a digest.

    Attributes:
        digest: between two digests of a team; alerts of the highest level do not wait for it.
    """

    messages: int = 60
    per: int = MINUTE
    digest: int = 10 * MINUTE


@dataclass(frozen=True, slots=True)
class Retry:
    """Attempts ``first`` apart, then doubling up to ``most``; after ``tries`` the next way is taken."""

    first: int = 10 * SECOND
    most: int = 15 * MINUTE
    tries: int = 6


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to tell somebody.

    Attributes:
        address: with ``${NAME}`` for what is secret, as written; None of a personal channel (the members'
            contacts), of a terminal and of a file.
        secret: of a webhook: the key of its signature, as written.
        path: of a file.
    """

    id: str
    kind: ChannelKind
    address: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    path: str | None = None
    timeout_seconds: int = 15
    rate: Rate = Rate()
    retry: Retry = Retry()

    @property
    def is_personal(self) -> bool:
        """Whether it reaches single members by their own contacts."""
        return self.kind == "apprise" and self.address is None


@dataclass(frozen=True, slots=True)
class Member:
    """A person on a rota. ``contacts``: channel id to an apprise URL, as written; never shown."""

    id: str
    title: Titles = field(default_factory=dict)
    language: Language | None = None
    contacts: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which alerts of some levels wait.

    Attributes:
        begins, ends: minutes after midnight; where ``begins`` is the later one, they go over midnight.
        levels: the levels that wait; never the highest.
    """

    begins: int
    ends: int
    levels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Timing:
    """How alerts of one community are put together.

    Attributes:
        group_wait: from the first alert to the message that tells it.
        group_interval: between two messages of a group.
        repeat_interval: after which what nobody has acknowledged is told again.
        repeats: how often it is.
    """

    group_wait: int = 30 * SECOND
    group_interval: int = 5 * MINUTE
    repeat_interval: int = 4 * HOUR
    repeats: int = 3


@dataclass(frozen=True, slots=True)
class Team:
    """Those who answer for a part of the district.

    Attributes:
        prefixes: of communities: 6, 9 or 12 digits.
        channels: ids in the order in which they are tried.
        next: the team that is told when nobody of this one could be; None only of the district's desk.
    """

    id: str
    tier: Tier
    channels: tuple[str, ...]
    title: Titles = field(default_factory=dict)
    prefixes: tuple[str, ...] = ()
    next: str | None = None
    language: Language = "zh"
    rota: Rota | None = None
    quiet: Quiet | None = None
    timing: Timing = Timing()


@dataclass(frozen=True, slots=True)
class Wording:
    """Titles of what may stand in a message: level, dimension and community to a text a language.

    Attributes:
        levels: ids in ascending order.
    """

    levels: Mapping[str, Titles]
    dimensions: Mapping[str, Titles]
    communities: Mapping[str, Titles]


@dataclass(frozen=True, slots=True)
class Routes:
    """A district's routes.

    Attributes:
        desk: the team of what nobody else answers for.
        link: address of a case in the console, with ``{case}``.
        digest: SHA-256 of the file, in hex.
        text: the file.
        remember: how long an alert's id is kept after it came, so that a repeat of it is known.
    """

    id: str
    version: int
    timezone: str
    desk: str
    link: str
    channels: Mapping[str, Channel]
    members: Mapping[str, Member]
    teams: Mapping[str, Team]
    wording: Wording
    workdays: Workdays
    digest: str = ""
    text: str = field(default="", repr=False, compare=False)
    remember: int = 7 * DAY
    _by_prefix: dict[str, Team] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._by_prefix.update((prefix, team) for team in self.teams.values() for prefix in team.prefixes)

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The time zone of rotas and quiet hours."""
        return zoneinfo.ZoneInfo(self.timezone)

    @property
    def highest(self) -> str:
        """The level that never waits."""
        return tuple(self.wording.levels)[-1]

    def is_urgent(self, level: str) -> bool:
        """Whether a level never waits: the highest, and any that nobody knows."""
        return level == self.highest or level not in self.wording.levels

    def team_of(self, community: str | None) -> Team:
        """The team of a community: that of its longest routed prefix, or the district's desk."""
        for digits in PREFIXES if community is not None else ():
            assert community is not None
            team = self._by_prefix.get(community[:digits])
            if team is not None:
                return team
        return self.teams[self.desk]

    def upwards(self, team: Team) -> Iterator[Team]:
        """A team, and those that are told after it, in order; the district's desk is the last."""
        seen: set[str] = set()
        here: Team | None = team
        while here is not None and here.id not in seen:
            seen.add(here.id)
            yield here
            here = self.teams.get(here.next) if here.next is not None else None
        if self.desk not in seen:
            yield self.teams[self.desk]

    def team_at(self, community: str | None, tier: Tier) -> Team:
        """The first team upwards whose tier is at least ``tier``."""
        for team in self.upwards(self.team_of(community)):
            if TIERS.index(team.tier) >= TIERS.index(tier):
                return team
        return self.teams[self.desk]

    def next_of(self, team: Team) -> Team | None:
        """Who is told when nobody of a team could be; None after the district's desk."""
        if team.id == self.desk:
            return None
        return next((other for other in self.upwards(team) if other.id != team.id), None)

    def on_call(self, team: Team, at: int) -> tuple[Member, ...]:
        """Who of a team is on call at an instant; nobody of a team that has no rota."""
        if team.rota is None:
            return ()
        names = team.rota.on_call(at, self.zone, self.workdays)
        return tuple(self.members[name] for name in names if name in self.members)
