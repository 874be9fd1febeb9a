"""What the stories and their families are called in the demo, in English and Chinese.

A story's own name is English (examples/stories); one that is not known here goes by it in both languages.
"""

from __future__ import annotations

from typing import Final

from rules.words import Language
from streams.stories import Story

_IN_CHINESE: Final[dict[str, tuple[str, str]]] = {
    "job-found-again": ("重新就业", "失业三周后重新就业：系统先发现，随后自行解除"),
    "pension-stops": ("养老金停发", "独居老人的养老金停发，走访后恢复发放"),
    "retired-couple": ("退休夫妇", "退休夫妇养老金稳定，按时体检，平安无事"),
    "stable-dibao": ("低保家庭", "低保家庭情况稳定：已知、已帮扶，不再反复上报"),
    "wang-fuhong": ("王家", "父母打零工，孩子确诊白血病，医疗费接踵而来"),
    "well-off-operation": ("富裕家庭", "富裕家庭的择期手术：不必上门"),
    "wrong-bill": ("错记账单", "账单记错了人引发预警，更正后撤销"),
    "zhou": ("周家", "网约车司机是家中唯一劳力，突发疾病：积蓄用尽之前就被发现"),
}
"""Story to a short name of its family and a sentence."""


def family_name(story: str, language: Language) -> str:
    """A family's short name, from the id of its story."""
    if language == "zh" and story in _IN_CHINESE:
        return _IN_CHINESE[story][0]
    return story.replace("-", " ").title() if story in _PEOPLE else story.replace("-", " ").capitalize()


def story_name(story: Story, language: Language) -> str:
    """What happens in a story, in a sentence without a full stop."""
    if language == "zh" and story.id in _IN_CHINESE:
        return _IN_CHINESE[story.id][1]
    return story.name


#: Stories that are called after people.
_PEOPLE: Final = frozenset({"wang-fuhong", "zhou"})
