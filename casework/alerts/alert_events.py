"""What became of alerts, for the record: CloudEvents of the topic ``alert.events``, keyed by household."""

from __future__ import annotations

from typing import Final

import msgspec

from casework.alerts.intents import Outcome
from casework.alerts.routes import Routes
from rules.calendar import instant_text

_encode: Final = msgspec.json.Encoder().encode


def event_of(outcome: Outcome, cause: str, routes: Routes) -> bytes:
    """The structured CloudEvent, JSON in UTF-8.

    Args:
        cause: names the record behind it and a number among what came of that; the event's id, so that a
            repeat after a crash is known.
    """
    return _encode(
        {
            "specversion": "1.0",
            "type": f"alert.{outcome.fate}",
            "source": f"hearthwatch/{routes.id}/alerts",
            "subject": f"household/{outcome.household}",
            "id": cause,
            "time": instant_text(outcome.at),
            "datacontenttype": "application/json",
            "data": {
                "alert": outcome.alert,
                "case": outcome.case,
                "household": outcome.household,
                "level": outcome.level,
                "team": outcome.team,
                "channel": outcome.channel,
                "by": outcome.by,
                "message": outcome.kind,
            },
        }
    )
