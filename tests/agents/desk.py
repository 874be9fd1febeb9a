"""Stages without a broker: records and lanes made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faust.types import TP

from agents.deciding import Stage
from agents.lanes import Lane, Part
from agents.ledger import Claim
from rules.policy import Policy
from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog

CASE = Path(__file__).parent.parent / "conformance" / "cases" / "stories" / "e-unregistered"


def small_catalog() -> Catalog:
    """Five departments, seven types."""
    return read_catalog(CASE / "catalog.yaml")


def small_policy(catalog: Catalog) -> Policy:
    """Levels blue and red; 30 points for a severe illness, up to 25 for bills, 25 for lost work."""
    return read_policy(CASE / "policy.yaml", catalog)


@dataclass(frozen=True)
class Raw:
    """As much of a record as stages look at."""

    offset: int
    value: bytes | None
    key: bytes | None = None
    timestamp: int = 0
    headers: Sequence[tuple[str, bytes | None]] = ()


def lane_of(stage: str, topic: str, partition: int = 0) -> Lane:
    """A lane as it is after the first claim."""
    claim = Claim(stage, topic, partition, 1, "desk", epoch=1, commit=0, next_offset=0)
    return Lane(TP(topic, partition), claim, 1)


def run(stage: Stage, lane: Lane, records: Sequence[Raw]) -> Part:
    """One part of a log, as the engine would do it, with a commit that succeeds."""
    part = Part(records[-1].offset + 1, None, len(records))
    read, keys = stage.read(lane, part, records)
    lane.remember({key: None for key in keys if key not in lane.states})
    stage.decide(lane, part, read)
    lane.next = part.next_offset
    lane.remember(part.states)
    return part
