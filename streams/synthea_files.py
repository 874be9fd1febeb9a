"""The CSV files of Synthea, row by row; what is wrong is named by file and line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Final

from streams.errors import InputError
from streams.synthea_homes import SyntheaPerson, pseudonym

_FILES: Final = {
    "patients.csv": ("Id", "BIRTHDATE", "DEATHDATE", "MARITAL", "GENDER", "CITY", "INCOME"),
    "encounters.csv": (
        "Id", "START", "STOP", "PATIENT", "ENCOUNTERCLASS", "DESCRIPTION", "TOTAL_CLAIM_COST",
        "PAYER_COVERAGE", "REASONDESCRIPTION",
    ),
    "conditions.csv": ("START", "STOP", "PATIENT", "CODE"),
}  # fmt: skip


class Row:
    """A row of a file, whose faults name file and line."""

    def __init__(self, path: Path, number: int, values: dict[str, str]) -> None:
        self.path = path
        self.number = number
        self.values = values

    def __getitem__(self, column: str) -> str:
        return self.values[column] or ""

    def fault(self, column: str, expected: str) -> InputError:
        return InputError(f"{self.path}:{self.number}: {column} is `{self[column]}`: expected {expected}")

    def day(self, column: str) -> date:
        try:
            return date.fromisoformat(self[column])
        except ValueError:
            raise self.fault(column, "a date such as 2020-05-31") from None

    def instant(self, column: str) -> datetime:
        try:
            instant = datetime.fromisoformat(self[column])
        except ValueError:
            raise self.fault(column, "a time such as 2020-05-31T07:13:55Z") from None
        if instant.tzinfo is None:
            raise self.fault(column, "a time with an offset")
        return instant

    def amount(self, column: str) -> Fraction:
        try:
            amount = Fraction(self[column])
        except (ValueError, ZeroDivisionError):
            raise self.fault(column, "an amount of dollars") from None
        if amount < 0:
            raise self.fault(column, "an amount from 0 on")
        return amount


class Rows:
    """The files of a folder."""

    def __init__(self, folder: Path, on_row: Callable[[int], None] | None) -> None:
        self.folder = folder
        self.on_row = on_row
        self.count = 0
        for name in _FILES:
            if not (folder / name).is_file():
                raise InputError(f"{folder}: has no file {name}; expected a folder of Synthea's CSV output")

    def read(self, name: str) -> Iterator[Row]:
        path = self.folder / name
        try:
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                missing = [column for column in _FILES[name] if column not in (reader.fieldnames or ())]
                if missing:
                    raise InputError(f"{path}:1: lacks the columns {', '.join(missing)}")
                for values in reader:
                    self.count += 1
                    if self.on_row is not None:
                        self.on_row(self.count)
                    yield Row(path, reader.line_num, values)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: cannot be read: {error}") from None


def person_of(row: Row) -> SyntheaPerson:
    sex = {"F": "female", "M": "male"}.get(row["GENDER"])
    if sex is None:
        raise row.fault("GENDER", "F or M")
    return SyntheaPerson(
        key=row["Id"],
        id=pseudonym(row["Id"]),
        born=row.day("BIRTHDATE"),
        died=row.day("DEATHDATE") if row["DEATHDATE"] else None,
        sex=sex,
        married=row["MARITAL"] == "M",
        town=row["CITY"],
        yearly_usd=int(row.amount("INCOME")),
    )
