"""The words that a case is shown in, in English and Chinese, and what was typed held to the catalogues."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rules.words import Language
from streams.errors import InputError
from streams.timestamps import DAY, HOUR, MINUTE
from streams.yamlfile import suggest

WORDS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "level": "level", "state": "state", "due": "due ({zone})", "left": "left", "community": "community",
        "case": "case", "household": "household", "nobody": "none", "worklist": "worklist",
        "shown": "Cases {first} to {last} of {all}", "late": "{late} late",
        "past-last": "Page {page} is past the last, which is {last} ({all} in all, {limit} a page).",
        "next-page": "for more: --page {page}", "none": "No open case is like that.",
        "opened": "opened {time}", "closed": "closed {time}: {code}", "officer": "officer {officer}",
        "no-officer": "no officer", "version": "version {version}", "from": "data of {source} were wrong",
        "like": "the same family as {case}", "deadlines": "Deadlines", "met": "met {time}",
        "told": "{tier} knows", "assumed": "holidays of that year are not out",
        "visits": "Visits", "assessment": "Assessed", "measures": "Help", "commitment": "Commitment",
        "approved": "approved by {by}", "under": "before its papers came", "to": "to {person}",
        "papers": "papers: {papers}",
        "why": "Why it was warned ({score} points)", "history": "History", "alerts": "Alerts",
        "times": "Times in {zone}.", "facts": "The family's facts: hearthwatch household show {household}",
        "before": "The case before: hearthwatch case show {case}", "after": "the one after: {case}",
        "suggested": "worth asking about; staff decide", "needs": "papers",
        "later": "may follow in {days} days",
        "nothing": "Nothing in the catalogue speaks for itself here: staff know more than it does.",
        "more": "and {count} more", "clock": "clock", "yuan": "{yuan:,} yuan",
    },
    "zh": {
        "level": "等级", "state": "状态", "due": "截止（{zone}）", "left": "剩余", "community": "社区",
        "case": "个案", "household": "家庭", "nobody": "无", "worklist": "待办清单",
        "shown": "第 {first} 至 {last} 件，共 {all} 件", "late": "{late} 件逾期",
        "past-last": "没有第 {page} 页，最后一页是第 {last} 页（共 {all} 件，每页 {limit} 件）。",
        "next-page": "下一页：--page {page}", "none": "没有符合条件的未结个案。",
        "opened": "{time} 立案", "closed": "{time} 结案：{code}", "officer": "经办人 {officer}",
        "no-officer": "无经办人", "version": "版本 {version}", "from": "{source} 的数据有误",
        "like": "与 {case} 为同一家庭", "deadlines": "时限", "met": "{time} 完成",
        "told": "已报{tier}", "assumed": "当年放假安排尚未公布",
        "visits": "走访", "assessment": "评估", "measures": "帮扶", "commitment": "告知承诺",
        "approved": "{by} 审批", "under": "材料未到先行发放", "to": "发放给 {person}",
        "papers": "材料：{papers}",
        "why": "预警原因（{score} 分）", "history": "经过", "alerts": "通知",
        "times": "时间：{zone}。", "facts": "家庭事实：hearthwatch household show {household}",
        "before": "上一件个案：hearthwatch case show {case}", "after": "下一件：{case}",
        "suggested": "值得了解的措施，由工作人员决定", "needs": "材料", "later": "可在 {days} 天内补交",
        "nothing": "目录中没有明显适用的措施，以工作人员了解的情况为准。",
        "more": "另有 {count} 项", "clock": "时钟", "yuan": "{yuan:,} 元",
    },
}  # fmt: skip

_YEAR: Final = 365 * DAY
#: So many words of a catalogue are named where none of them was typed.
_MOST: Final = 30

_CHINESE: Final[dict[str, str]] = {
    # states, clocks, tiers
    "new": "新建", "acknowledged": "已签收", "visited": "已走访", "assessed": "已评估",
    "assisted": "已帮扶", "closed": "已结案", "acknowledge": "签收", "visit": "走访", "assess": "评估",
    "help": "帮扶", "papers": "补材料", "community": "社区", "street": "街道", "district": "区",
    "policy": "政策",
    # outcomes; the codes have a place of their own (casework.cases.code_words)
    "met": "见到", "absent": "无人在家", "refused": "拒绝", "moved-away": "已迁走",
    # measures and commitments
    "proposed": "已提出", "approved": "已审批", "delivered": "已发放", "suspended": "已暂停",
    "offered": "已告知", "signed": "已签署", "papers-due": "待补材料", "fulfilled": "已履行",
    "broken": "已违背", "waived": "已撤销",
    # alerts
    "duplicate": "重复",
    "sent": "已送达", "replaced": "被后续通知取代", "resolved": "已有人处理", "silenced": "静默中",
    "digested": "待汇总发送", "gave-up": "未能送达", "passed-on": "转上级",
    # events
    "opened": "立案", "upgraded": "升级", "lowered": "降级", "cleared": "解除", "withdrawn": "撤销",
    "moved": "迁移", "quieted": "未另立案", "noted": "记录",
    "worklist-ended": "移出待办清单", "worklist-extended": "待办清单延期",
    "passed": "未立案", "overdue": "逾期", "escalated": "上报",
    "assigned": "指派", "referred": "转介", "refusal": "未执行", "commented": "备注", "reopened": "重新打开",
    "repeated": "重复指令", "commitment.offered": "告知承诺", "commitment.signed": "签署承诺",
    "commitment.fulfilled": "补齐材料", "commitment.broken": "违背承诺", "commitment.waived": "撤销承诺",
}  # fmt: skip

_FIELDS: Final[dict[str, str]] = {
    "outcome": "结果", "findings": "发现", "note": "备注", "text": "内容", "reason": "理由", "to": "至",
    "from": "自", "level": "程度", "causes": "原因", "measure": "措施", "amount_yuan": "金额（元）",
    "person": "个人", "under_commitment": "承诺先行", "proposed_by": "提出人", "step": "步骤",
    "papers": "材料", "allows_checks": "同意核查", "code": "结案代码", "source": "数据部门",
    "duplicate_of": "重复于", "clock": "时限", "tier": "上报至", "warning_level": "预警等级",
    "score": "得分", "urgency_raised": "更紧急", "supervisor": "报街道督办", "baseline": "待办清单",
    "new_points": "新增分",
}  # fmt: skip


def word(text: str, language: Language) -> str:
    """A word of cases: a state, a clock, an outcome, an event; codes: :mod:`casework.cases.code_words`."""
    if language == "zh":
        return _CHINESE.get(text, text)
    return text.replace(".", " ")


def field(name: str, language: Language) -> str:
    """What a field of an event is called."""
    return _FIELDS.get(name, name) if language == "zh" else name.replace("_", " ")


def left_text(due: int, now: int, language: Language) -> str:
    """How long there is: ``in 3 h``, ``2 days late``; both in microseconds since 1970."""
    span = abs(due - now)
    if span < HOUR:
        count, unit = span // MINUTE, "min"
    elif span < 2 * DAY:
        count, unit = span // HOUR, "h"
    elif span < 2 * _YEAR:
        count, unit = span // DAY, "days"
    else:  # where the clock is the log's, today is far from it
        count, unit = span // _YEAR, "years"
    is_late = due <= now
    if language == "zh":
        told = f"{count} " + {"min": "分钟", "h": "小时", "days": "天", "years": "年"}[unit]
        return f"逾期 {told}" if is_late else f"还有 {told}"
    return f"{count} {unit} late" if is_late else f"in {count} {unit}"


def known(what: str, name: str, words: Iterable[str], *, listed: str = "") -> str:
    """A word of a catalogue, as it was typed.

    Args:
        listed: what to type to see all of them, where they are many.

    Raises:
        InputError: there is none; it names the nearest, and all where they are not too many.
    """
    among = list(words)
    if name in among:
        return name
    hint = suggest(name, among)
    if "one of:" not in hint and len(among) <= _MOST:
        hint = f"{hint} one of: {', '.join(among)}".strip()
    elif listed and "one of:" not in hint:
        hint = f"{hint} {listed} has them all".strip()
    raise InputError(f"unknown {what} `{name}`: {hint}")
