"""A warning as one sentence, in English or Chinese, from the wording of the policy."""

from __future__ import annotations

from typing import Any, Final

from rules.policy import Policy, Titles
from rules.words import Language

#: The indicators that a sentence names; the message has them all.
MOST_REASONS: Final = 3

_DONE: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "warning.raised": "raised",
        "warning.upgraded": "upgraded",
        "warning.lowered": "lowered",
        "warning.moved": "moved",
        "warning.cleared": "cleared",
        "warning.withdrawn": "withdrawn",
    },
    "zh": {
        "warning.raised": "新预警",
        "warning.upgraded": "升级",
        "warning.lowered": "降级",
        "warning.moved": "迁移",
        "warning.cleared": "解除",
        "warning.withdrawn": "撤销",
    },
}
_CALM: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "warning.cleared": "no longer in difficulty by the rules",
        "warning.withdrawn": "what had raised the warning was taken back",
    },
    "zh": {"warning.cleared": "按规则已不再处于困难状态", "warning.withdrawn": "引发预警的事实已更正或撤回"},
}


def done_text(type: str, language: Language = "en") -> str:
    """What happened, in a word: ``raised``."""
    return _DONE[language].get(type, type.removeprefix("warning."))


def level_text(level: str | None, policy: Policy, language: Language = "en") -> str:
    """A level's title; its id where it has none."""
    for known in policy.levels:
        if known.id == level:
            return _text(known.title, language, known.id)
    return level or {"en": "none", "zh": "无"}[language]


def reason_text(message: dict[str, Any], policy: Policy, language: Language = "en") -> str:
    """Why, in one sentence: what weighs most, each indicator once.

    Args:
        message: a warning message (docs/reference/warnings.md); one made under another policy names
            indicators that this one may not know: those are given by their id.
    """
    by_id = {indicator.id: indicator for indicator in policy.indicators}
    reasons: dict[str, None] = {}
    entries = message["data"]["because"]
    for entry in entries:
        if entry["points"] <= 0:
            continue
        indicator = by_id.get(entry["indicator"])
        if indicator is None:
            reasons[entry["indicator"]] = None
            continue
        title = _text(indicator.title, language, indicator.id)
        reasons[_text(indicator.because, language, title)] = None
    calm = _CALM[language].get(message["type"])
    if calm is not None:
        return calm
    if not reasons:
        return {"en": "no indicator gives points", "zh": "没有指标得分"}[language]
    named = list(reasons)[:MOST_REASONS]
    more = len(reasons) - len(named)
    if language == "zh":
        return "；".join(named) + (f"（另有{more}项）" if more else "")
    return "; ".join(named) + (f" (and {more} more)" if more else "")


def _text(titles: Titles, language: Language, fallback: str) -> str:
    return titles.get(language) or titles.get("en") or titles.get("zh") or fallback
