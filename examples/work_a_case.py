"""Works the open case of a household from Python, until it is helped: the tutorial's step 7.

Usage: ``python examples/work_a_case.py H-lin 2025-06-05``. With ``HEARTHWATCH_CLOCK=log`` the second argument
is the day on which it happens; each thing is done an hour after the one before.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from casework.cases.commands import Actor, Command
from hearthwatch.desk import CaseView, Desk
from hearthwatch.settings import load_settings
from streams.timestamps import is_date

LIN = Actor("lin", "community", ("420106",))
GAO = Actor("gao", "street", ("420106",))
WORK: list[tuple[Actor, str, dict[str, Any]]] = [
    (LIN, "acknowledge", {}),
    (LIN, "visit", {"outcome": "met"}),
    (LIN, "assess", {"level": "severe", "causes": ["illness", "income-lost"]}),
    (LIN, "propose", {"measure": "dibao", "amount_yuan": 1200}),
    (GAO, "approve", {"measure": "dibao", "amount_yuan": 1200}),  # never who proposed it
    (LIN, "deliver", {"measure": "dibao", "amount_yuan": 1200}),
    (LIN, "close", {"code": "helped"}),
]


async def work(household: str, day: str) -> None:
    """Do all that there is to do, each on the case as it stands then."""
    async with Desk.open(load_settings()) as desk:
        found = await desk.household(household)
        case = None if found is None else found.open
        if case is None:
            sys.exit(f"{household} has no open case")
        print(f"{case.id}: {case.state}, {case.level}")
        for number, (actor, command, data) in enumerate(WORK):
            case = await _do(desk, case, actor, command, data, number, day)
            if command == "assess":
                best = [one.title for one in await desk.suggest(case.id)][:3]
                print(f"  worth asking about: {', '.join(best)}")


async def _do(
    desk: Desk, case: CaseView, actor: Actor, name: str, data: dict[str, Any], number: int, day: str
) -> CaseView:
    """Send a command; the case as it is then."""
    command = Command(
        id=f"{case.id}.example-{number}",  # sent again, it is answered again and not carried out again
        household=case.household,
        case=case.id,
        command=name,
        seen_version=case.version,
        actor=actor,
        time=f"{day}T{9 + number:02}:00:00+08:00",
        data=data,
    )
    answer = await desk.send(command)
    if answer.reason is not None:
        sys.exit(f"{name} was refused: {answer.reason}: {answer.message}")
    after = await desk.case(case.id)
    assert after is not None, "it was answered"
    print(f"{day} {actor.id} {name}: {after.state}")
    return after


if __name__ == "__main__":
    if len(sys.argv) != 3 or not is_date(sys.argv[2]):
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    asyncio.run(work(sys.argv[1], sys.argv[2]))
