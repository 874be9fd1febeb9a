"""What policy staff and auditors look at: the rules, and the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from litestar import get

from hearthwatch.api.access import AUDITORS, EVERYBODY, ROLES, Caller
from hearthwatch.api.parameters import Limit, OfActor, OfCase, OfHousehold
from hearthwatch.api.problems import answers
from hearthwatch.api.services import Behind, Services
from hearthwatch.audit_log import is_wanted, latest
from hearthwatch.connections import kafka_connection
from streams.audit import AuditRecord, Who
from streams.policies_topic import read_activations

#: How far back a request looks: reading them takes a second. `hearthwatch audit list` reads all.
_MOST_LOOKED_AT: Final = 100_000


class RulesFile(msgspec.Struct, frozen=True):
    """One file of the rules, as it stands."""

    name: str
    text: str


class RulesInForce(msgspec.Struct, frozen=True):
    """What is gone by: which events there are, how a household is scored, when cases are due, what helps.

    Attributes:
        policy_number: of the activation of policy and catalogue.
    """

    policy_number: int
    catalog: RulesFile
    policy: RulesFile
    casebook: RulesFile
    measures: RulesFile


class Audited(msgspec.Struct, frozen=True):
    """One record of the audit log and its place."""

    offset: int
    timestamp_ms: int
    record: AuditRecord


class AuditPage(msgspec.Struct, frozen=True):
    """Records of the audit log, the latest first."""

    records: list[Audited]


@get("/v1/rules", opt={ROLES: EVERYBODY}, responses=answers(), tags=["oversight"], operation_id="rules")
async def rules(request: Caller, services: Behind) -> RulesInForce:
    """The catalogue, the policy, the book of cases and the catalogue of assistance that hold now."""
    found = await asyncio.to_thread(_rules, services)
    await services.record(request, "read", "rules")
    return found


@get(
    "/v1/audit",
    opt={ROLES: AUDITORS},
    responses=answers(),
    tags=["oversight"],
    operation_id="audit",
)
async def audit(
    request: Caller,
    services: Behind,
    household: OfHousehold = None,
    case: OfCase = None,
    actor: OfActor = None,
    kind: Literal["read", "change"] | None = None,
    limit: Limit = 100,
) -> AuditPage:
    """Who of the caller's communities read or changed what, the latest first, of the last 100,000 records."""
    found: list[Audited] = []
    everything = await asyncio.to_thread(latest, kafka_connection(services.settings), _MOST_LOOKED_AT)
    for one in reversed(everything):
        if one.record is None or one.record.entry.kind == "opened":
            continue
        if not is_overseen(one.record.entry.who, request.user.communities):
            continue
        if is_wanted(one, household=household, case=case, actor=actor, kind=kind):
            found.append(Audited(one.offset, one.timestamp_ms, one.record))
            if len(found) == limit:
                break
    query: dict[str, Any] = {"household": household, "case": case, "actor": actor, "kind": kind}
    await services.record(
        request, "read", "audit", rows=len(found), query={name: text for name, text in query.items() if text}
    )
    return AuditPage(found)


def is_overseen(who: Who | None, scope: Sequence[str]) -> bool:
    """Whether an auditor of a scope sees what somebody did.

    Those who see more than the scope are a wider auditor's, or else their records would name households of
    elsewhere; so are those with no communities (the command line, policy staff), which the district's sees.
    """
    if who is None or not who.communities:
        return any(len(code) == 6 for code in scope)
    return all(any(code.startswith(mine) for mine in scope) for code in who.communities)


def _rules(services: Services) -> RulesInForce:
    settings = services.settings
    newest = read_activations(kafka_connection(settings), needed=True)[-1]
    files = newest.files

    def read(path: Path) -> RulesFile:
        return RulesFile(path.name, path.read_text("utf-8"))

    return RulesInForce(
        newest.number,
        RulesFile(files.catalog_name, files.catalog.decode()),
        RulesFile(files.policy_name, files.policy.decode()),
        read(settings.casebook),
        read(settings.measures),
    )
