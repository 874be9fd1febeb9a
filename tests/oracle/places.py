"""Where and when a case plays: zones, and days on which their clocks do something."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from random import Random

from tests.oracle.clock import EPOCH, format_date

# Zones and days around which their clocks do something worth a test.
PLACES = (
    ("UTC", "2024-02-20"),
    ("Asia/Shanghai", "2024-02-26"),
    ("Asia/Shanghai", "2023-03-20"),
    ("Asia/Shanghai", "1991-09-10"),
    ("Europe/Berlin", "2024-03-25"),
    ("Europe/Berlin", "2024-10-22"),
    ("America/Sao_Paulo", "2018-10-31"),
    ("America/Sao_Paulo", "2019-02-13"),
    ("America/St_Johns", "2006-10-25"),
    ("America/St_Johns", "2007-03-08"),
    ("Pacific/Apia", "2011-12-24"),
    ("Pacific/Kwajalein", "1993-08-17"),
    ("Asia/Kathmandu", "1985-12-27"),
    ("Asia/Manila", "1844-12-27"),
    ("America/Juneau", "1867-10-15"),
    ("Africa/Monrovia", "1972-01-03"),
    ("Africa/Cairo", "2024-04-22"),
    ("America/Havana", "2024-11-01"),
    ("Asia/Beirut", "2024-03-28"),
    ("America/Toronto", "1919-03-28"),
    ("Atlantic/Azores", "2024-10-24"),
    ("Asia/Tehran", "2022-03-19"),
    ("Australia/Lord_Howe", "2024-04-04"),
    ("Pacific/Kiritimati", "1994-12-27"),
    ("Etc/GMT+12", "2024-02-27"),
)


@dataclass(frozen=True)
class Place:
    """Where and around when a case plays."""

    zone: str
    start: int  # a day

    def date(self, offset: int) -> str:
        return format_date(self.start + offset)


def draw_place(draw: Random) -> Place:
    zone, date = draw.choice(PLACES)
    start = dt.date.fromisoformat(date).toordinal() - EPOCH
    return Place(zone, start + draw.randint(-2, 2))
