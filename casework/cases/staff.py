"""Commands of staff: each is answered by exactly one event, what it did or why it was refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from casework.cases import aftercare, clocks, commands, commitment, feedback
from casework.cases.case import MOST_MEASURES, MOST_VISITS, Assessment, Case, Measure, Visit
from casework.cases.case_events import CaseEvent, Reason
from casework.cases.commands import Command, read_data
from casework.cases.scopes import is_in
from casework.cases.transitions import SUPERVISORS, Row, may_ever, of_breach, reached, rows_of
from casework.cases.warned import close
from casework.cases.work import Work
from streams.catalog import SUBJECT_ID

Refusal = tuple[Reason, str]

CASE_ID: Final = re.compile(f"(~?{SUBJECT_ID})-[1-9][0-9]{{0,17}}")


def take(work: Work, command: Command) -> None:
    """Carry out a command, or refuse it."""
    home = work.home
    answer = home.answered.get(command.id)
    if answer is not None:
        _repeat(work, command, answer)
        return
    case = next((one for one in (home.case, home.last) if one is not None and one.id == command.case), None)
    data = read_data(command)
    refusal = _refusal_of_sender(work, command, case, data)
    if refusal is not None or case is None:
        reason, message = refusal or ("unknown-case", "there is no such case")
        work.refuse(command, reason, message, case)
        return
    assert isinstance(data, msgspec.Struct)
    row, refusal = _transition(work, command, case, data)
    refusal = refusal or _refusal_of_content(work, command, case, data)
    if refusal is None:
        assert row is not None
        refusal = _Doing(work, command, case, row).do(data)
    if refusal is not None:
        work.refuse(command, *refusal, case)


def _repeat(work: Work, command: Command, answer: tuple[str, str]) -> None:
    """Answer a command again, without doing it again."""
    id, digest = answer
    if digest == command.digest:
        work.aside(f"{command.id}-repeated", "repeated", {"answer": id}, command, None)
        return
    # Not remembered: the answer to this id is the other command's.
    message = "another command has this id already: choose a new one"
    work.aside(f"{command.id}-taken", "refused", {"reason": "id-taken", "message": message}, command, None)


# -- what may not be ---------------------------------------------------------------------------------
def _refusal_of_sender(
    work: Work, command: Command, case: Case | None, data: msgspec.Struct | str
) -> Refusal | None:
    """What can be said before looking at what the case is in."""
    home, actor = work.home, command.actor
    if command.household != home.id:
        return "bad-data", "$.household: expected the household that the record is keyed by"
    if command.command not in commands.DATA:
        assert isinstance(data, str)
        return "bad-data", data
    # A closed case goes with the household, wherever it lives now.
    community = home.community if case is None or case.closed is not None else case.community
    # Whoever is not responsible learns nothing, not even whether there is such a case.
    if not is_in(community, actor.communities):
        return "forbidden", "the household is not in your communities"
    if not may_ever(command.command, actor.role):
        return "forbidden", f"the role `{actor.role}` may not send `{command.command}`"
    if isinstance(data, str):
        return "bad-data", data
    if case is None:
        return "unknown-case", "the household has no such case that can still be worked on"
    if not case.basis <= command.seen_version <= case.version:
        return "stale", f"the case has gone on to version {case.version}: look at it again"
    return None


def _transition(
    work: Work, command: Command, case: Case, data: msgspec.Struct
) -> tuple[Row | None, Refusal | None]:
    """The row of the table that applies, or why none does."""
    when = _kind(case, data)
    rows = [row for row in rows_of(command.command, when) if case.state in row.before]
    if not rows:
        named = f"{command.command} {when}".strip()
        return None, ("wrong-state", f"the case is {case.state}: `{named}` is not for it")
    row = rows[0]
    if command.actor.role not in row.roles:
        return None, (
            "forbidden",
            f"the role `{command.actor.role}` may not send `{command.command}` {when}".strip(),
        )
    if row.need is not None and not row.need.holds(work.home, case, data):
        return None, ("not-yet", f"it is needed that {row.need.says}")
    return row, None


def _kind(case: Case, data: msgspec.Struct) -> str:
    """Which of its kind a command is: the column "on" of the table."""
    match data:
        case commands.MakeVisit():
            return data.outcome
        case commands.Deliver():
            return "under commitment" if data.under_commitment else ""
        case commands.Commit():
            return of_breach(case, data.step) if data.step == "break" else data.step
        case commands.Close():
            return data.code
        case commands.Reopen():
            return "helped" if case.is_helped else reached(case)
        case _:
            return ""


def _refusal_of_content(work: Work, command: Command, case: Case, data: msgspec.Struct) -> Refusal | None:
    """What the book and the other records say against it."""
    book = work.book
    match data:
        case commands.Assess():
            unknown = [one for one in data.causes if not book.knows_cause(one)]
            if data.level not in book.difficulties:
                return "bad-data", f"$.data.level: one of: {', '.join(book.difficulties)}"
            if unknown:
                return "bad-data", "$.data.causes: a cause is not in the catalogue of assistance"
            if len(set(data.causes)) < len(data.causes):
                return "bad-data", "$.data.causes: a cause stands twice"
        case commands.OfMeasure() | commands.Deliver() if not book.knows_measure(data.measure):
            return "bad-data", "$.data.measure: it is not in the catalogue of assistance"
        case commands.Deliver() if data.under_commitment and book.papers_within(data.measure) is None:
            return "bad-data", "$.data.measure: it is not given before its papers came"
        case commands.OfMeasure() if command.command == "approve":
            measure = case.measure(data.measure)
            if measure is not None and measure.by == command.actor.id:
                return "own-proposal", "whoever proposed a measure does not approve it"
        case commands.Close():
            return _refusal_of_close(work, case, data, command.actor)
        case commands.Reopen():
            if case.closed is None or work.at >= book.due(case.closed, book.reopen_within).instant:
                return "too-late", "the case was closed too long ago: a new warning opens another"
        case commands.Commit():
            return commitment.refusal(work.home, case, data, work.at)
        case commands.MakeVisit() if len(case.visits) >= MOST_VISITS:
            return "too-many", f"a case has at most {MOST_VISITS} visits"
    is_new = command.command == "propose" or getattr(data, "under_commitment", False)
    if is_new and len(case.measures) >= MOST_MEASURES:
        return "too-many", f"a case has at most {MOST_MEASURES} measures"
    return None


def _refusal_of_close(work: Work, case: Case, data: commands.Close, actor: commands.Actor) -> Refusal | None:
    if (data.source is not None) != (data.code == "data-wrong"):
        return "bad-data", "$.data.source: it goes with `data-wrong`, and says which source was wrong"
    if (data.duplicate_of is not None) != (data.code == "duplicate"):
        return "bad-data", "$.data.duplicate_of: it goes with `duplicate`, and names the other case"
    if data.duplicate_of is None:
        return None
    if data.duplicate_of == case.id:
        return "bad-data", "$.data.duplicate_of: expected another case than this one"
    other = CASE_ID.fullmatch(data.duplicate_of)
    if other is None:
        return "bad-data", "$.data.duplicate_of: expected the id of a case, `<household>-<n>`"
    home = work.home
    known = {past.id for past in home.past} | ({home.last.id} if home.last is not None else set())
    if other[1] == home.id and data.duplicate_of not in known:
        return "bad-data", "$.data.duplicate_of: the household has had no such case"
    # Whoever should go there does not put it away alone; another household's cases are not known here.
    is_highest = work.book.rank(case.level) >= len(work.book.levels)
    if is_highest and not case.was_visited and actor.role not in SUPERVISORS:
        return "forbidden", "a case of the highest level that was not visited is for the street to close so"
    return None


# -- doing it ----------------------------------------------------------------------------------------
class _Doing:
    """A command that is allowed, being done."""

    def __init__(self, work: Work, command: Command, case: Case, row: Row) -> None:
        self.work = work
        self.command = command
        self.case = case
        self.row = row
        self.by = command.actor.id
        self.before = case.state

    def do(self, data: msgspec.Struct) -> Refusal | None:
        """Change the case and say so; where that is found impossible nothing has changed."""
        asked = clocks.asking(self.case)
        refusal = _DO[self.command.command](self, data)
        # Whoever was told to do what is done now need not be told again.
        is_closed = self.case.state == "closed" and self.before != "closed"
        answered = asked - clocks.asking(self.case)
        if refusal is None and (is_closed or answered):
            self.work.resolve(self.case, self.case.community, None if is_closed else answered)
        return refusal

    def say(self, data: msgspec.Struct, **more: Any) -> CaseEvent:
        """The event: the command's data, and what else there is."""
        if self.row.to is not None:
            self.case.state = self.row.to
        told = {
            name: value for name, value in msgspec.to_builtins(data).items() if value not in (None, [], ())
        }
        return self.work.event(self.case, self.row.event, self.before, told | more, self.command)

    def take_up(self) -> None:
        """Somebody answers for the case."""
        work, case = self.work, self.case
        if case.is_baseline:  # off the worklist: its clocks run from now on
            clocks.take_up(case, work.at, work.book)
        clocks.finish(case, "acknowledge", work.at)

    def acknowledge(self, data: msgspec.Struct) -> None:
        self.take_up()
        if self.case.officer is None:
            self.case.officer = self.by
        self.say(data, officer=self.case.officer)

    def assign(self, data: msgspec.Struct) -> None:
        assert isinstance(data, commands.Assign)
        self.case.officer = data.to
        self.say(data)

    def visit(self, data: msgspec.Struct) -> Refusal | None:
        assert isinstance(data, commands.MakeVisit)
        work, case = self.work, self.case
        try:
            sent = feedback.of_visit(work.home.id, data.findings, self.next_id, work.at, work.book)
        except feedback.Refused as refused:
            return "bad-data", f"$.data.findings: {refused}"
        self.take_up()
        case.visits.append(Visit(work.at, self.by, data.outcome))
        if data.outcome != "absent":
            clocks.finish(case, "visit", work.at)
        self.say(data)
        work.feed_back(sent)
        return None

    def assess(self, data: msgspec.Struct) -> None:
        assert isinstance(data, commands.Assess)
        work, before = self.work, self.case.assessment
        sent = feedback.of_assessment(
            work.home.id, data.level, self.next_id, before.told_as if before else None, work.at, work.book
        )
        told_as = feedback.assessment_name(self.next_id) if sent else None
        self.case.assessment = Assessment(work.at, self.by, data.level, list(data.causes), told_as)
        clocks.finish(self.case, "assess", work.at)
        self.say(data)
        work.feed_back(sent)

    def propose(self, data: msgspec.Struct) -> None:
        assert isinstance(data, commands.OfMeasure)
        self.case.measures.append(Measure(data.measure, "proposed", self.by, amount_yuan=data.amount_yuan))
        self.say(data)

    def approve(self, data: msgspec.Struct) -> None:
        assert isinstance(data, commands.OfMeasure)
        measure = self.case.measure(data.measure)
        assert measure is not None
        measure.state, measure.approved_by = "approved", self.by
        if data.amount_yuan is not None:
            measure.amount_yuan = data.amount_yuan
        self.say(data, proposed_by=measure.by)

    def deliver(self, data: msgspec.Struct) -> Refusal | None:
        assert isinstance(data, commands.Deliver)
        work, case = self.work, self.case
        approved = None if data.under_commitment else case.measure(data.measure)
        measure = Measure(
            data.measure,
            "delivered",
            self.by if approved is None else approved.by,
            None if approved is None else approved.approved_by,
            data.amount_yuan if approved is None or data.amount_yuan is not None else approved.amount_yuan,
            data.under_commitment,
            data.person,
        )
        try:
            name = self.next_id
            if data.under_commitment:  # a breach takes it back by this name
                name = feedback.commitment_name(case, len(case.measures))
            sent = feedback.of_help(work.home.id, measure, name, work.at, work.book)
        except feedback.Refused as refused:
            return "bad-data", f"$.data: {refused}"
        if approved is None:
            case.measures.append(measure)
            commitment.delivered(case, data.measure, self.by, work.at, work.book)
        else:
            case.measures[case.measures.index(approved)] = measure
        clocks.finish(case, "help", work.at)
        work.home.flags = []
        self.say(data)
        work.feed_back(sent)
        return None

    def commit(self, data: msgspec.Struct) -> None:
        assert isinstance(data, commands.Commit)
        work, case = self.work, self.case
        commitment.take(case, data, self.by, work.at, work.book)
        if data.step != "break":
            self.say(data)
            return
        taken_back = commitment.breach(work, case, work.at)
        commitment.tell(work, case, self.say(data))
        work.feed_back(taken_back)

    def close(self, data: msgspec.Struct) -> None:
        assert isinstance(data, commands.Close)
        work, case = self.work, self.case
        close(work, case, data.code)
        case.source, case.duplicate_of = data.source, data.duplicate_of
        if data.code == "data-wrong":
            aftercare.unflag(work.home, case.opened)
        aftercare.settle(work.home, case)
        self.say(data)

    def reopen(self, data: msgspec.Struct) -> None:
        work, case = self.work, self.case
        work.home.case, work.home.last = case, None
        work.home.past = [past for past in work.home.past if past.id != case.id]
        case.closed = case.code = case.source = case.duplicate_of = None
        case.community = work.home.community
        clocks.start(case, work.at, work.book, ("visit",) if not case.was_visited else ())
        clocks.start(case, work.at, work.book, ("assess",) if case.assessment is None else ())
        clocks.start(case, work.at, work.book, ("help",))
        is_told = self.command.actor.role != "community"  # who answers for it is told by others only
        if is_told:
            clocks.start(case, work.at, work.book, ("acknowledge",))
        event = self.say(data)
        if is_told:
            work.alert("reopened", event, case, to=case.community)

    def only_say(self, data: msgspec.Struct) -> None:
        """A referral or a comment: it stands in the record."""
        self.say(data)

    @property
    def next_id(self) -> str:
        """The id that the event will have."""
        return f"{self.case.id}-{self.case.version + 1}"


_DO: Final[dict[str, Callable[[_Doing, msgspec.Struct], Refusal | None]]] = {
    "acknowledge": _Doing.acknowledge,
    "assign": _Doing.assign,
    "visit": _Doing.visit,
    "assess": _Doing.assess,
    "propose": _Doing.propose,
    "approve": _Doing.approve,
    "deliver": _Doing.deliver,
    "refer": _Doing.only_say,
    "commit": _Doing.commit,
    "comment": _Doing.only_say,
    "close": _Doing.close,
    "reopen": _Doing.reopen,
}
