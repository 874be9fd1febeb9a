"""Cases: lists, counts, one whole, what would help, and commands."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from casework.cases.commands import Command
from hearthwatch.api.access import EVERYBODY, FIELD, READERS, ROLES, Caller, narrowed
from hearthwatch.api.asked import case_cursor, known_level
from hearthwatch.api.parameters import CaseId, Cursor, IdempotencyKey, Limit, OfLevel, OfState, Within
from hearthwatch.api.problems import RefusedError, answers, not_found
from hearthwatch.api.services import Behind, Services
from hearthwatch.desk import UNKNOWN, CaseView, Counted, Page, Suggestion
from streams.audit import Kind
from streams.errors import PublishTimeoutError
from streams.timestamps import format_timestamp

#: How long an answer is waited for before the sender is told to look later.
ANSWER_SECONDS: Final = 30.0


CommandName = Literal[
    "acknowledge", "assign", "visit", "assess", "propose", "approve", "deliver", "refer", "commit", "comment",
    "close", "reopen",
]  # fmt: skip
"""What there is to send; the same as :data:`casework.cases.commands.DATA`."""


class CommandAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command of staff.

    Attributes:
        command: one of docs/reference/cases.md.
        seen_version: the case's version that the sender looked at.
        data: by the command.
    """

    command: CommandName
    seen_version: Annotated[int, msgspec.Meta(ge=0)]
    data: dict[str, Any] = {}


class CommandAnswered(msgspec.Struct, frozen=True):
    """What came of a command.

    Attributes:
        command: its id.
        is_done: false where it was taken but not answered yet.
        is_repeated: whether it had been done before, under the same id.
        event: the CloudEvent of ``case.events`` that answers it.
    """

    command: str
    is_done: bool
    is_repeated: bool
    event: dict[str, Any] | None


class Counts(msgspec.Struct, frozen=True):
    """Open cases, counted; no household is named."""

    counts: list[Counted]


class History(msgspec.Struct, frozen=True):
    """The events of a case, in order: CloudEvents of ``case.events``."""

    events: list[dict[str, Any]]


class Alerts(msgspec.Struct, frozen=True):
    """What became of the alerts about a case, by time: CloudEvents of ``alert.events``."""

    events: list[dict[str, Any]]


class Suggestions(msgspec.Struct, frozen=True):
    """What is worth asking about, the likeliest first."""

    suggestions: list[Suggestion]


@get("/v1/cases", opt={ROLES: READERS}, responses=answers(), tags=["cases"], operation_id="cases")
async def list_cases(
    request: Caller,
    services: Behind,
    community: Within = None,
    level: OfLevel = None,
    in_state: OfState = None,
    overdue: Annotated[
        bool | None, QueryParameter(description="only cases that are late, or in time")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page:
    """The open cases of the caller's communities."""
    codes = narrowed(request.user.communities, community)
    after, level = case_cursor(cursor), await known_level(services, level)
    found = await services.desk.cases(
        codes, level=level, state=in_state, overdue=overdue, limit=limit, after=after
    )
    asked = {"community": community, "level": level, "state": in_state, "overdue": overdue}
    await services.record(
        request,
        "read",
        "cases",
        households=[one.household for one in found.cases],
        rows=len(found.cases),
        query={name: str(value) for name, value in asked.items() if value is not None},
    )
    return found


@get("/v1/counts", opt={ROLES: EVERYBODY}, responses=answers(), tags=["cases"], operation_id="counts")
async def counts(request: Caller, services: Behind) -> Counts:
    """How many cases are open, by community, level and state; of all communities for policy staff."""
    scope = None if request.user.role == "policy" else request.user.communities
    found = await services.desk.counts(scope)
    await services.record(request, "read", "counts", rows=len(found))
    return Counts(found)


@get(
    "/v1/cases/{case_id:str}",
    opt={ROLES: READERS},
    responses=answers(404),
    tags=["cases"],
    operation_id="case",
)
async def show_case(request: Caller, services: Behind, case_id: CaseId) -> CaseView:
    """One case: its deadlines, visits, measures and commitment; of one closed long ago as they were then."""
    found = await _theirs(request, services, case_id, "case", earlier=True)
    await services.record(request, "read", "case", case=found.id, households=[found.household], rows=1)
    return found


@get(
    "/v1/cases/{case_id:str}/history",
    opt={ROLES: READERS},
    responses=answers(404),
    tags=["cases"],
    operation_id="history",
)
async def history(request: Caller, services: Behind, case_id: CaseId) -> History:
    """What became of one case, in order."""
    return History(await _events(request, services, case_id, "history", services.desk.history))


@get(
    "/v1/cases/{case_id:str}/alerts",
    opt={ROLES: READERS},
    responses=answers(404),
    tags=["cases"],
    operation_id="alerts",
)
async def alerts(request: Caller, services: Behind, case_id: CaseId) -> Alerts:
    """Which teams were told of one case, by which channels and when, or what came instead, in order."""
    return Alerts(await _events(request, services, case_id, "alerts", services.desk.alerts))


@get(
    "/v1/cases/{case_id:str}/suggestions",
    opt={ROLES: READERS},
    responses=answers(404),
    tags=["cases"],
    operation_id="suggestions",
)
async def suggestions(request: Caller, services: Behind, case_id: CaseId) -> Suggestions:
    """Which measures are worth asking about, and why; nothing is granted by it."""
    found = await _theirs(request, services, case_id, "suggestions")
    worth = await services.desk.suggest(case_id)
    await services.record(
        request, "read", "suggestions", case=found.id, households=[found.household], rows=len(worth)
    )
    return Suggestions(list(worth))


@post(
    "/v1/cases/{case_id:str}/commands",
    opt={ROLES: FIELD},
    status_code=200,
    responses=answers(404, 409, 413, 422)
    | {
        202: ResponseSpec(
            CommandAnswered,
            generate_examples=False,
            description="Taken, and not answered yet; it will be carried out",
        )
    },
    tags=["cases"],
    operation_id="command",
)
async def command(
    request: Caller,
    services: Behind,
    case_id: CaseId,
    data: CommandAsked,
    idempotency_key: IdempotencyKey = None,
) -> Response[CommandAnswered]:
    """Send a command about a case, and wait for what comes of it."""
    if not idempotency_key:
        raise RefusedError(
            "bad-request",
            "Idempotency-Key: needed: choose an id for the command, and send it again with the same one if no"
            " answer comes",
        )
    found = await _theirs(request, services, case_id, "case", kind="change", request=idempotency_key)
    sent = Command(
        id=idempotency_key,
        household=found.household,
        case=found.id,
        command=data.command,
        seen_version=data.seen_version,
        actor=request.user.actor,
        time=format_timestamp(int(time.time() * 1_000_000)),
        data=data.data,
    )

    async def note(result: str) -> None:
        await services.record(
            request,
            "change",
            "case",
            result,
            case=found.id,
            households=[found.household],
            query={"command": data.command},
            request=idempotency_key,
        )

    other = await services.desk.other_case(sent)
    if other is not None:
        is_there = await services.desk.has_case(other, request.user.communities)
        household = other.rpartition("-")[0]
        await services.record(
            request, "read", "case", "ok" if is_there else "not-found", case=other, households=[household]
        )
        if not is_there:
            await note("bad-data")
            raise RefusedError("bad-data", f"$.data.duplicate_of: {UNKNOWN}")
    await note("sent")
    try:
        answer = await services.desk.send(sent, timeout=ANSWER_SECONDS)
    except PublishTimeoutError:
        await note("unanswered")
        return Response(CommandAnswered(sent.id, False, False, None), status_code=202)
    if answer.reason is not None:
        await note(answer.reason)
        raise RefusedError(
            answer.reason, f"{answer.message}{_FIXES.get(answer.reason, '')}", version=answer.version or None
        )
    await note("repeated" if answer.is_repeated else "done")
    return Response(CommandAnswered(sent.id, True, answer.is_repeated, answer.event), status_code=200)


_FIXES: Final = {
    "stale": ": look at the case, and decide again with its `version` as `seen_version`",
    "wrong-state": ": `GET` the case for its state; docs/reference/cases.md has the table of transitions",
    "id-taken": "",
    "repeated-refusal": ": choose a new id if it is to be tried again",
    "bad-data": ": docs/reference/cases.md has what each command takes",
}


async def _theirs(
    caller: Caller,
    services: Services,
    id: str,
    what: str,
    *,
    kind: Kind = "read",
    request: str | None = None,
    earlier: bool = False,
) -> CaseView:
    """A case, if it is the caller's; what is asked for in vain is on record too.

    Args:
        earlier: also one that was closed before the one closed last.

    Raises:
        RefusedError: there is none, or it is somebody else's.
    """
    found = await services.desk.case(id, earlier=earlier, scope=caller.user.communities)
    if found is None:
        await services.record(caller, kind, what, "not-found", case=id, request=request)
        raise not_found("case")
    return found


async def _events(
    caller: Caller,
    services: Services,
    id: str,
    what: str,
    read: Callable[..., Awaitable[list[dict[str, Any]]]],
) -> list[dict[str, Any]]:
    """Events of a case, by one of the desk's readers; on record, as :func:`_theirs` has it."""
    found = await _theirs(caller, services, id, what, earlier=True)
    events = await read(found.household, case=found)
    await services.record(caller, "read", what, case=found.id, households=[found.household], rows=len(events))
    return events
