"""Every conformance case rejects the same lines for the same reasons."""

from __future__ import annotations

import pytest

from streams.catalog_file import read_catalog
from streams.envelope import Decoder
from streams.errors import DecodeError
from tests.conformance.case_files import Case, all_cases


def test_the_cases_are_here() -> None:
    assert len(all_cases()) >= 46


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_rejections_agree(case: Case) -> None:
    decoder = Decoder(read_catalog(case.catalog))
    rejected = []
    for number, line in case.lines():
        try:
            decoder.line(line)
        except DecodeError as error:
            rejected.append({"line": number, "reason": error.reason})
    expected = [{"line": row["line"], "reason": row["reason"]} for row in case.expected("rejections")]
    assert rejected == expected
