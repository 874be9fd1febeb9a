"""Reading a routes file: every fault of it in one go, each with its line and column.

The format is docs/reference/routes.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, cast

from casework.alerts.alert import PREFIX, TIERS, Tier
from casework.alerts.channel_file import ID, read_channels, read_language, read_members
from casework.alerts.rota_file import TIMING, read_calendar, read_quiet, read_rota, read_timing
from casework.alerts.routes import PREFIXES, Channel, Language, Member, Quiet, Routes, Team, Timing, Wording
from rules.policy import Policy, Titles
from rules.titles import read_titles
from streams.yamlfile import Node, Source, read_yaml, suggest

_DEFAULTS: Final = (*TIMING, "quiet", "language")
_UTC: Final = "UTC"


def read_routes(path: str | Path, policy: Policy, raw: bytes | None = None) -> Routes:
    """Read routes and check them against a policy, whose levels and dimensions they speak of.

    Args:
        path: the file; only its name where ``raw`` is given.
        raw: the bytes of the file, if they were already read.

    Raises:
        InputError: the file cannot be read.
        FileFaults: it is faulty; with all faults, in the order of the file. No fault shows an address.
    """
    source, root = read_yaml(path, raw)
    routes = _read(source, root, policy)
    source.check()
    assert routes is not None
    return routes


def _read(source: Source, root: Node, policy: Policy) -> Routes | None:
    required = ("routes", "version", "timezone", "link", "desk", "channels", "teams")
    if not root.mapping("the routes", required, ("communities", "calendar", "defaults", "members")):
        return None
    name_node, version_node, zone_node = root.get("routes"), root.get("version"), root.get("timezone")
    name = name_node.pattern("the routes' name", ID, "`wuchang`") if name_node is not None else None
    version = version_node.integer("version", least=1) if version_node is not None else None
    timezone = zone_node.timezone() if zone_node is not None else None
    link = _link(root.get("link"))
    channels = read_channels(root.get("channels"))
    members = read_members(root.get("members"), channels)
    teams = _Teams(tuple(level.id for level in policy.levels), channels, members).read(
        root.get("teams"), root.get("defaults")
    )
    desk_node = root.get("desk")
    desk = desk_node.choice("team", teams) if desk_node is not None and teams else None
    communities = _communities(root.get("communities"))
    workdays = read_calendar(root.get("calendar"), timezone or _UTC)
    _check_chains(root.get("teams"), teams, desk)
    if source.faults or None in (name, version, timezone, link, desk):
        return None
    assert name is not None
    assert version is not None
    assert timezone is not None
    assert link is not None
    assert desk is not None
    return Routes(
        id=name,
        version=version,
        timezone=timezone,
        desk=desk,
        link=link,
        channels={id_: one for id_, one in channels.items() if one is not None},
        members={id_: one for id_, one in members.items() if one is not None},
        teams={id_: one for id_, one in teams.items() if one is not None},
        wording=Wording(
            {one.id: one.title for one in policy.levels},
            {one.id: one.title for one in policy.dimensions},
            communities,
        ),
        workdays=workdays,
        digest=source.digest,
        text=source.raw.decode(),
    )


def _link(node: Node | None) -> str | None:
    link = node.string("link") if node is not None else None
    if node is None or link is None:
        return None
    if (
        not link.startswith(("https://", "http://"))
        or link.count("{case}") != 1
        or "{" in link.replace("{case}", "")
    ):
        expected = "expected an address with {case} in it, such as https://hearthwatch.example/cases/{case}"
        node.source.fault(node, f"link `{link}` is malformed: {expected}")
        return None
    return link


def _communities(node: Node | None) -> Mapping[str, Titles]:
    """Titles by code, of districts, streets or communities."""
    if node is None or not node.mapping("communities", (), None):
        return {}
    found: dict[str, Titles] = {}
    for key, value in node.items():
        code = _code(key, "a community")
        if code is not None:
            found[code] = read_titles(value, f"the title of {code}")
    return found


def _code(node: Node, what: str) -> str | None:
    """A code of a district, a street or a community."""
    text = node.string(what)
    if text is None:
        return None
    if not PREFIX.fullmatch(text):
        digits = "6 digits (a district), 9 (a street) or 12 (a community)"
        node.source.fault(node, f"{what} must have {digits}, not {node.described()}")
        return None
    assert len(text) in PREFIXES
    return text


class _Teams:
    """Reads the teams of one file."""

    def __init__(
        self,
        levels: tuple[str, ...],
        channels: Mapping[str, Channel | None],
        members: Mapping[str, Member | None],
    ) -> None:
        self.levels = levels
        self.channels = channels
        self.members = members
        self.found: dict[str, Team | None] = {}
        self.owners: dict[str, str] = {}  # prefix -> team

    def read(self, node: Node | None, defaults: Node | None) -> dict[str, Team | None]:
        """Teams by id, in the order of the file; None for a faulty one."""
        timing, quiet, language = Timing(), None, None
        if defaults is not None and defaults.mapping("defaults", (), _DEFAULTS):
            timing = read_timing(defaults, timing)
            quiet = read_quiet(defaults.get("quiet"), self.levels)
            language = read_language(defaults.get("language"))
        if node is None:
            return self.found
        items = node.sequence("teams") or []
        if node.kind == "list" and not items:
            node.source.fault(node, "teams must name at least one")
        for item in items:
            self._team(item, timing, quiet, language or "zh")
        return self.found

    def _team(self, item: Node, timing: Timing, quiet: Quiet | None, language: Language) -> None:
        optional = ("title", "for", "next", "rota", *_DEFAULTS)
        if not item.mapping("a team", ("id", "tier", "channels"), optional):
            return
        id_node, tier_node, quiet_node = item.get("id"), item.get("tier"), item.get("quiet")
        id_ = id_node.pattern("a team's id", ID, "`street-007`") if id_node is not None else None
        if id_node is not None and id_ is not None and id_ in self.found:
            id_node.source.fault(id_node, f"the team `{id_}` stands twice")
            return
        tier = tier_node.choice("tier", TIERS) if tier_node is not None else None
        next_node = item.get("next")
        rota = read_rota(item.get("rota"), self.members)
        ways = self._ways(item)
        if any((way := self.channels.get(one)) is not None and way.is_personal for one in ways):
            self._check_rota(item, rota, ways)
        prefixes = self._prefixes(item.get("for"), id_ or "?")
        team = Team(
            id=id_ or "?",
            tier=cast(Tier, tier or "community"),
            channels=ways,
            title=read_titles(item.get("title"), "title"),
            prefixes=prefixes,
            next=next_node.string("next") if next_node is not None else None,
            language=read_language(item.get("language")) or language,
            rota=rota,
            quiet=quiet if quiet_node is None else read_quiet(quiet_node, self.levels),
            timing=read_timing(item, timing),
        )
        if id_ is not None:
            self.found[id_] = team if tier is not None else None

    def _ways(self, item: Node) -> tuple[str, ...]:
        node = item.get("channels")
        found: list[str] = []
        for one in node.one_or_many("channels") or [] if node is not None else []:
            name = one.string("a channel")
            if name is not None and name not in self.channels:
                one.source.fault(one, f"unknown channel `{name}`", suggest(name, self.channels))
            elif name is not None and name in found:
                one.source.fault(one, f"the channel `{name}` stands twice")
            elif name is not None:
                found.append(name)
        return tuple(found)

    def _check_rota(self, item: Node, rota: object, ways: Collection[str]) -> None:
        """A team with personal channels has somebody on call, and each of them can be reached."""
        rota_node = item.get("rota")
        if rota_node is None:
            item.source.fault(item, "the team lacks the key `rota`: its channels reach single members")
            return
        if any(self.channels.get(way) is None or not _way(self.channels, way).is_personal for way in ways):
            return  # there is a way that reaches everybody
        for node in _names(rota_node):
            member = self.members.get(node.text)
            if member is not None and not set(member.contacts) & set(ways):
                node.source.fault(
                    node, f"`{node.text}` has no contact by any channel of the team: {', '.join(ways)}"
                )

    def _prefixes(self, node: Node | None, team: str) -> tuple[str, ...]:
        found: list[str] = []
        for one in node.one_or_many("for") or [] if node is not None else []:
            code = _code(one, "a code in `for`")
            if code is None:
                continue
            if code in self.owners:
                one.source.fault(one, f"the code {code} is already the team `{self.owners[code]}`'s")
            else:
                self.owners[code] = team
                found.append(code)
        return tuple(found)


def _way(channels: Mapping[str, Channel | None], id_: str) -> Channel:
    channel = channels[id_]
    assert channel is not None
    return channel


def _names(node: Node) -> list[Node]:
    """Every member that a rota names, once each."""
    found: dict[str, Node] = {}
    waiting = [one for key in ("weeks", "holidays", "overrides") if (one := node.get(key)) is not None]
    while waiting:
        one = waiting.pop(0)
        if one.kind == "scalar":
            found.setdefault(one.text, one)
        elif one.kind == "list":
            waiting[:0] = one.elements()
        else:
            waiting[:0] = [value for key, value in one.items() if key.text not in ("from", "to")]
    return list(found.values())


def _check_chains(node: Node | None, teams: Mapping[str, Team | None], desk: str | None) -> None:
    """Each `next` names a team of a tier that is not lower, and no team comes after itself."""
    for item in node.elements() if node is not None and node.kind == "list" else []:
        next_node, id_node = (item.get("next"), item.get("id")) if item.kind == "mapping" else (None, None)
        if next_node is None or next_node.kind != "scalar" or id_node is None:
            continue
        team = teams.get(id_node.text)
        if next_node.text not in teams:
            next_node.source.fault(
                next_node, f"unknown team `{next_node.text}`", suggest(next_node.text, teams)
            )
            continue
        after = teams[next_node.text]
        if team is None or after is None:
            continue
        if team.id == desk:
            next_node.source.fault(next_node, "the desk is the last that is told: it has no `next`")
        elif TIERS.index(after.tier) < TIERS.index(team.tier):
            message = (
                f"`{after.id}` is of the tier {after.tier}, below {team.tier}: what nobody takes goes upwards"
            )
            next_node.source.fault(next_node, message)
        elif _comes_round(team, teams):
            next_node.source.fault(next_node, f"the team `{team.id}` would come after itself")


def _comes_round(team: Team, teams: Mapping[str, Team | None]) -> bool:
    seen: set[str] = set()
    here: Team | None = team
    while here is not None and here.next is not None and here.id not in seen:
        seen.add(here.id)
        here = teams.get(here.next)
        if here is not None and here.id == team.id:
            return True
    return False
