"""The words of a message, and its data for programs.

Identity stays in the console: a message holds nothing but what :data:`ALLOWED` names. All words are the
program's own or titles of the policy and the routes, found by a code; a code that is not known is left out,
so that nothing gets into a message by way of one.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from casework.alerts.alert import COMMUNITY, KINDS, TASKS, TIERS, Alert
from casework.alerts.intents import MessageKind, Text
from casework.alerts.routes import Language, Routes, Team
from rules.policy import Titles
from streams.timestamps import SECOND

ALLOWED: Final = (
    "kind", "level", "community", "previous_community", "tier", "dimensions", "task", "do_by", "link",
)  # fmt: skip
"""What a message may say of an alert; ``link`` holds the case's id, which is the household's pseudonym."""

MOST_LISTED: Final = 20
"""Alerts that a message lists; of the others it gives numbers."""

_KINDS: Final[Mapping[str, Titles]] = {
    "raised": {"en": "New warning", "zh": "新预警"},
    "upgraded": {"en": "Warning upgraded", "zh": "预警升级"},
    "moved": {"en": "Household moved", "zh": "家庭迁移"},
    "moved-in": {"en": "Household moved in", "zh": "家庭迁入"},
    "moved-out": {"en": "Household moved away", "zh": "家庭迁出"},
    "escalated": {"en": "Overdue", "zh": "逾期上报"},
    "supervisor": {"en": "Flagged repeatedly without help", "zh": "多次预警未获救助"},
    "reopened": {"en": "Case reopened", "zh": "重新办理"},
}
_TASKS: Final[Mapping[str, Titles]] = {
    "acknowledge": {"en": "acknowledge the case", "zh": "签收"},
    "visit": {"en": "visit the household", "zh": "入户走访"},
    "assess": {"en": "assess the household", "zh": "完成评估"},
    "help": {"en": "arrange help", "zh": "落实帮扶"},
    "papers": {"en": "collect the papers", "zh": "补齐材料"},
    "supervise": {"en": "look into the case", "zh": "督办"},
}
_WORDS: Final[Mapping[str, Titles]] = {
    "because": {"en": "Because of: {what}.", "zh": "原因：{what}。"},
    "no-reason": {"en": "See the case for the reasons.", "zh": "原因请在系统中查看。"},
    "do": {"en": "To do: {what} by {when}.", "zh": "请于{when}前{what}。"},
    "do-at-once": {"en": "To do: {what} at once.", "zh": "请立即{what}。"},
    "gone": {
        "en": "The household is no longer yours; nothing is to be done.",
        "zh": "该家庭已迁出，无需处理。",
    },
    "no-community": {"en": "no community yet", "zh": "尚未确定社区"},
    "several": {"en": "{count} alerts", "zh": "{count}条预警"},
    "digest": {"en": "Digest: {count} alerts", "zh": "汇总：{count}条预警"},
    "repeat": {"en": "Still open: {count}", "zh": "仍待处理：{count}"},
    "more": {"en": "and {count} more: {what}", "zh": "另有{count}条：{what}"},
    "warning": {"en": "Warning", "zh": "预警"},
    "comma": {"en": ", ", "zh": "、"},
}


def sentence(dimensions: Sequence[str], routes: Routes, language: Language) -> str:
    """Why, in one sentence, by the titles of dimensions; those that the policy does not know are left out."""
    titles = [
        _title(routes.wording.dimensions[one], language)
        for one in dict.fromkeys(dimensions)
        if one in routes.wording.dimensions
    ]
    titles = [one for one in titles if one]
    if not titles:
        return _word("no-reason", language)
    return _word("because", language).format(what=_word("comma", language).join(titles))


def text_of(alerts: Sequence[Alert], kind: MessageKind, routes: Routes, language: Language) -> Text:
    """A message as plain text: a short title, and one paragraph for each alert, the gravest first."""
    ordered = sorted(alerts, key=lambda alert: _rank(alert, routes))
    if kind == "alerts" and len({(alert.case, alert.kind) for alert in ordered}) == 1:
        title = _headline(ordered[0], routes, language)
    else:
        count = {"alerts": "several", "digest": "digest", "repeat": "repeat"}[kind]
        title = f"{_word(count, language).format(count=len(ordered))} ({_levels(ordered, routes, language)})"
    parts = [_paragraph(alert, routes, language) for alert in ordered[:MOST_LISTED]]
    rest = ordered[MOST_LISTED:]
    if rest:
        what = _levels(rest, routes, language)
        parts.append(_word("more", language).format(count=len(rest), what=what))
        parts.append("\n".join(_by_place(rest, routes, language)))
    return Text(title, "\n\n".join(parts))


def data_of(
    id_: str, alerts: Sequence[Alert], kind: MessageKind, team: Team, routes: Routes
) -> dict[str, Any]:
    """A message for programs: every alert of it, by the fields of :data:`ALLOWED`, with its id."""
    ordered = sorted(alerts, key=lambda alert: _rank(alert, routes))
    return {
        "message": id_,
        "kind": kind,
        "team": team.id,
        "count": len(ordered),
        "alerts": [{"id": alert.id, "case": alert.case, **_fields(alert, routes)} for alert in ordered],
    }


def _fields(alert: Alert, routes: Routes) -> dict[str, Any]:
    fields = {
        "kind": alert.kind if alert.kind in KINDS else None,
        "level": alert.level if alert.level in routes.wording.levels else None,
        "community": _known_code(alert.community),
        "previous_community": _known_code(alert.previous_community),
        "tier": alert.tier if alert.tier in TIERS else None,
        "dimensions": [one for one in alert.dimensions if one in routes.wording.dimensions],
        "task": alert.task if alert.task in TASKS else None,
        "do_by": _when(alert.do_by, routes).isoformat() if alert.do_by is not None else None,
        "link": _link(alert, routes),
    }
    assert tuple(fields) == ALLOWED
    return fields


def _known_code(community: str | None) -> str | None:
    return community if community is not None and COMMUNITY.fullmatch(community) else None


def _rank(alert: Alert, routes: Routes) -> tuple[int, str]:
    levels = tuple(routes.wording.levels)
    rank = levels.index(alert.level) if alert.level in levels else len(levels)
    return -rank, alert.id


def kind_text(kind: str, language: Language) -> str:
    """What an alert is about, in a word or two; of a kind that is not known: a warning."""
    return _title(_KINDS.get(kind, {}), language) or _word("warning", language)


def _headline(alert: Alert, routes: Routes, language: Language) -> str:
    kind = kind_text(alert.kind, language)
    level = _title(routes.wording.levels.get(alert.level, {}), language)
    place = _place(alert.community, routes, language)
    return f"[{level}] {kind} · {place}" if level else f"{kind} · {place}"


def _paragraph(alert: Alert, routes: Routes, language: Language) -> str:
    lines = [_headline(alert, routes, language), sentence(alert.dimensions, routes, language)]
    what = _title(_TASKS.get(alert.task, _TASKS["acknowledge"]), language)
    if alert.kind == "moved-out":
        lines[1:] = [_word("gone", language)]
    elif alert.do_by is None:
        lines.append(_word("do-at-once", language).format(what=what))
    else:
        when = f"{_when(alert.do_by, routes):%Y-%m-%d %H:%M}"
        lines.append(_word("do", language).format(what=what, when=when))
    return "\n".join([*lines, _link(alert, routes)])


def _levels(alerts: Sequence[Alert], routes: Routes, language: Language) -> str:
    """How many of each level, the gravest first."""
    counts = Counter(alert.level if alert.level in routes.wording.levels else "" for alert in alerts)
    known = [level for level in ("", *reversed(tuple(routes.wording.levels))) if level in counts]
    return _word("comma", language).join(
        f"{_title(routes.wording.levels.get(level, {}), language) or _word('warning', language)}"
        f" {counts[level]}"
        for level in known
    )


def _by_place(alerts: Sequence[Alert], routes: Routes, language: Language) -> list[str]:
    counts = Counter(_known_code(alert.community) or "" for alert in alerts)
    return [f"{_place(code or None, routes, language)}: {counts[code]}" for code in sorted(counts)]


def _place(community: str | None, routes: Routes, language: Language) -> str:
    """A community's title and code; the title of its street or district where it has none."""
    code = _known_code(community)
    if code is None:
        return _word("no-community", language)
    titles = routes.wording.communities
    for digits in (12, 9, 6):
        title = _title(titles.get(code[:digits], {}), language)
        if title:
            return f"{title} {code}"
    return code


def _link(alert: Alert, routes: Routes) -> str:
    return routes.link.replace("{case}", quote(alert.case, safe=""))


def _when(instant: int, routes: Routes) -> dt.datetime:
    return dt.datetime.fromtimestamp(instant // SECOND, routes.zone)


def _title(titles: Titles, language: Language) -> str:
    return titles.get(language) or next(iter(titles.values()), "")


def _word(key: str, language: Language) -> str:
    return _WORDS[key][language]
