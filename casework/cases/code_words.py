"""What the close codes are called, wherever a case or a count is shown."""

from __future__ import annotations

from typing import Final

from casework.cases.case import CloseCode
from rules.policy import Titles
from rules.words import Language

CODE_TITLES: Final[dict[CloseCode, Titles]] = {
    "helped": {"en": "helped", "zh": "已落实救助帮扶"},
    "helped-already": {"en": "helped already", "zh": "此前已获救助帮扶"},
    "no-need": {"en": "no need found", "zh": "核查未发现困难"},
    "refused": {"en": "help refused", "zh": "自愿放弃救助帮扶"},
    "moved-away": {"en": "moved away", "zh": "已迁离本区"},
    "deceased": {"en": "deceased", "zh": "本人已去世"},
    "data-wrong": {"en": "data wrong", "zh": "部门数据有误"},
    "duplicate": {"en": "duplicate", "zh": "与其他个案重复"},
}
"""Code -> what it means, as social assistance in China says it (docs/reference/cases.md, close codes)."""


def code_text(code: str, language: Language) -> str:
    """What a code is called; the code itself where a newer program has written it."""
    titles = CODE_TITLES.get(code)  # type: ignore[call-overload]
    return code if titles is None else str(titles[language])
