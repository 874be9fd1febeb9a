"""What several routes can be asked."""

from __future__ import annotations

from typing import Annotated

from litestar.params import HeaderParameter, PathParameter, QueryParameter

from casework.cases.case import CaseState

Within = Annotated[
    str | None,
    QueryParameter(
        pattern=r"^[0-9]{6}([0-9]{3}([0-9]{3})?)?$",
        description="only of this community (12 digits), street (9) or district (6)",
    ),
]
Limit = Annotated[int, QueryParameter(ge=1, le=500, description="at most so many")]
Cursor = Annotated[
    str | None,
    QueryParameter(max_length=400, description="`next` of the page before; what is none is refused"),
]
OfHousehold = Annotated[str | None, QueryParameter(max_length=128, description="only of this household")]
OfCase = Annotated[str | None, QueryParameter(max_length=128, description="only of this case")]
OfActor = Annotated[str | None, QueryParameter(max_length=128, description="only by this person or program")]
OfLevel = Annotated[
    str | None,
    QueryParameter(max_length=64, description="only of this level, which some policy that was activated has"),
]
OfState = Annotated[CaseState | None, QueryParameter(name="state", description="only cases in this state")]
LastEvent = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID",
        max_length=400,
        description="go on after this event; a browser sends it by itself",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        max_length=128,
        description="the command's id; needed: sent again with it, the command is not carried out again",
    ),
]
CaseId = Annotated[str, PathParameter(max_length=140, description="id of a case")]
HouseholdId = Annotated[str, PathParameter(max_length=128, description="id of a household")]
