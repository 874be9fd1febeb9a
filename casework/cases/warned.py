"""Warnings: they open a case, or join the one that is open, or are noted on the one that quiets."""

from __future__ import annotations

from typing import Any, Final

from casework.alerts.alert import district_of
from casework.cases import aftercare, clocks
from casework.cases.baseline import is_settling, is_taken_in
from casework.cases.case import Case
from casework.cases.commands import WarningPassed
from casework.cases.transitions import row_of
from casework.cases.work import Work

KINDS: Final = ("raised", "upgraded", "lowered", "cleared", "withdrawn", "moved")


def take(work: Work, passed: WarningPassed) -> None:
    """Take a warning, once: one that is not after the last that was taken is a repeat."""
    home, warning = work.home, passed.body
    kind = warning.type.removeprefix("warning.")
    if kind not in KINDS or warning.data.household != home.id or not warning.number:
        message = "expected a warning about this household, with an id `<household>-<n>`"
        work.aside(f"{warning.id}-refused", "refused", {"reason": "bad-data", "message": message}, None, None)
        return
    if warning.number <= home.warned:
        return
    home.warned = warning.number
    home.level, home.score, home.community = warning.data.level, warning.data.score, warning.data.community
    case = home.case
    is_flag = kind == "raised" or (kind == "upgraded" and case is None)
    tells_supervisor = is_flag and aftercare.flag(home, work.at, work.book)
    if kind == "withdrawn":
        aftercare.unflag(home)
    if case is not None:
        has_moved = case.community != warning.data.community
        if has_moved:
            _hand_over(work, case, passed)
        if kind != "moved" or not has_moved:
            _join(work, case, kind, passed, tells_supervisor)
    elif is_flag and warning.data.level is not None:
        _open(work, kind, passed, tells_supervisor)
    elif home.last is not None:
        _note(work, home.last, "noted", passed)
    else:
        home.at = work.at
        work.aside(f"{warning.id}-passed", "passed", _about(passed), None, None)


def _about(passed: WarningPassed) -> dict[str, Any]:
    """What an event says of its warning."""
    data = passed.body.data
    return {
        "warning": passed.body.id,
        "warned": passed.body.type,
        "warning_level": data.level,
        "score": data.score,
        "indicators": [
            {name: entry.get(name) for name in ("indicator", "dimension", "points")} for entry in data.because
        ],
    }


def _dimensions(because: list[dict[str, Any]]) -> dict[str, int]:
    """Points by dimension."""
    found: dict[str, int] = {}
    for entry in because:
        dimension, points = entry.get("dimension"), entry.get("points")
        if isinstance(dimension, str) and type(points) is int:
            found[dimension] = found.get(dimension, 0) + points
    return found


def _learn(case: Case, passed: WarningPassed) -> None:
    """The case knows what the warning rests on."""
    data = passed.body.data
    case.score = data.score
    case.because = _dimensions(data.because)
    case.known = aftercare.known_of(data.because)


def _note(work: Work, case: Case, type: str, passed: WarningPassed) -> None:
    """The warning is a note on a case."""
    work.event(case, type, case.state, _about(passed))


# -- no case is open ---------------------------------------------------------------------------------
def _open(work: Work, kind: str, passed: WarningPassed, tells_supervisor: bool) -> None:
    """Open a case, unless the one closed last keeps the household quiet."""
    home, book, data = work.home, work.book, passed.body.data
    assert data.level is not None
    last = home.last
    if last is not None and aftercare.quiets(last, data.level, data.because, work.at, book):
        assert row_of(f"warning.{kind}", "quiet", last.state) is not None
        event = work.event(
            last, "quieted", last.state,
            _about(passed) | {"new_points": aftercare.new_points(last.known, data.because)},
        )  # fmt: skip
        if tells_supervisor:
            work.alert("supervisor", event, last, tier="street", to=home.community)
        return
    row = row_of(f"warning.{kind}", "", "closed" if last is not None else "none")
    assert row is not None
    assert row.to is not None
    case = home.case = Case(
        id=passed.body.id,
        version=0,
        state=row.to,
        opened=work.at,
        level=data.level,
        score=data.score,
        community=data.community,
    )
    _learn(case, passed)
    case.is_baseline = is_baseline = is_taken_in(work, case)
    if not is_baseline:
        clocks.start(case, work.at, book)
    event = work.event(
        case, row.event, "none", _about(passed) | {"baseline": is_baseline, "supervisor": tells_supervisor}
    )
    if not is_baseline:
        work.alert("raised", event, case, to=case.community)
    if tells_supervisor:
        work.alert("supervisor", event, case, to=case.community, tier="street")


# -- a case is open ----------------------------------------------------------------------------------
def _hand_over(work: Work, case: Case, passed: WarningPassed) -> None:
    """The household has moved: its case goes to the other community, and both are told.

    One that waits on a worklist waits on the other's, if there is one. Who loses it was told of it only where
    it had moved there: that ends.
    """
    before = case.community
    case.community = passed.body.data.community
    case.officer = None
    was_baseline = case.is_baseline
    if not was_baseline:
        clocks.start(case, work.at, work.book, ("acknowledge",))
    elif not is_taken_in(work, case):
        clocks.take_up(case, work.at, work.book)
    event = work.event(case, "moved", case.state, _about(passed) | {"from": before, "to": case.community})
    if was_baseline:
        work.resolve(case, before)
        turn = case.clock("acknowledge")
        work.alert("moved-in", event, case, to=case.community, before=before, clock=turn)
    else:
        # Who answers for it no longer is reminded of nothing. In another district nobody hears more of it; in
        # the same one what is late goes on to the tiers above.
        is_there = district_of(before) == district_of(case.community)
        work.resolve(case, before, ("acknowledge",) if is_there else None)
        work.alert("moved-out", event, case, to=before, before=before)
        work.alert("moved-in", event, case, to=case.community, before=before)


def _join(work: Work, case: Case, kind: str, passed: WarningPassed, tells_supervisor: bool) -> None:
    row = row_of(f"warning.{kind}", "", case.state)
    assert row is not None, "a warning can join a case in every state"
    before, data, book = case.state, passed.body.data, work.book
    if kind == "withdrawn":
        _withdraw(work, case, passed)
        return
    if kind in ("lowered", "cleared", "moved"):
        case.score = data.score
        _note(work, case, row.event, passed)
        return
    level = data.level
    is_higher = book.rank(level) > book.rank(case.level)
    _learn(case, passed)
    if is_higher and level is not None:
        case.level = level
    # A family of the go-live's worklist crosses a line anew: from now on it is a case like any other, unless
    # its base is still being loaded.
    waits = case.is_baseline and is_settling(work, case)
    if case.is_baseline and not waits:
        clocks.take_up(case, work.at, book)
    elif is_higher and not waits:
        clocks.hurry(case, work.at, book)
    elif not waits and "acknowledge" not in clocks.asking(case):  # what is told again is answered again
        clocks.start(case, work.at, book, ("acknowledge",))
    event = work.event(
        case,
        row.event,
        before,
        _about(passed) | {"urgency_raised": is_higher, "supervisor": tells_supervisor},
    )
    if not waits:
        work.alert("upgraded", event, case, to=case.community)
    if tells_supervisor:
        work.alert("supervisor", event, case, to=case.community, tier="street")


def _withdraw(work: Work, case: Case, passed: WarningPassed) -> None:
    """What the warning rested on was put right: a case that nobody has visited is closed."""
    row = row_of("warning.withdrawn", "", case.state)
    assert row is not None
    before = case.state
    if row.to is None or case.was_visited:
        _note(work, case, row.event, passed)
        return
    source = passed.body.data.cause.get("source")
    close(work, case, "data-wrong")
    case.source = source.rpartition("/")[2][:64] if isinstance(source, str) else None
    aftercare.settle(work.home, case)
    work.event(case, row.event, before, _about(passed) | {"code": case.code, "source": case.source})
    work.resolve(case, case.community)


def close(work: Work, case: Case, code: Any) -> None:
    """Close a case: its clocks stop, a commitment that is still open is waived."""
    case.state = "closed"
    case.closed = work.at
    case.code = code
    clocks.stop(case)
    case.is_baseline = False
    if case.commitment is not None and case.commitment.state in ("offered", "signed", "papers-due"):
        case.commitment.state = "waived"
