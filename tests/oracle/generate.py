"""Draw one whole case from a seed, and write it as a folder of conformance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.oracle.backtest import Outputs
from tests.oracle.clock import format_date, local_day, parse_date
from tests.oracle.draw_catalog import draw_catalog
from tests.oracle.draw_events import History
from tests.oracle.draw_policy import draw_policy
from tests.oracle.places import draw_place
from tests.oracle.reading import read_catalog, read_policy
from tests.oracle.writing import yaml_text


@dataclass(frozen=True)
class Case:
    """The inputs of one backtest."""

    catalog: bytes
    policy: bytes
    lines: tuple[bytes, ...]
    until: str | None
    ended: bool = True  # the last line ends with a line feed

    @property
    def events(self) -> bytes:
        text = b"\n".join(self.lines)
        return text + b"\n" if self.ended and self.lines else text

    @property
    def until_day(self) -> int | None:
        return None if self.until is None else parse_date(self.until)

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "catalog.yaml").write_bytes(self.catalog)
        (folder / "policy.yaml").write_bytes(self.policy)
        (folder / "events.jsonl").write_bytes(self.events)
        if self.until is not None:
            (folder / "until").write_text(self.until + "\n", encoding="utf-8")


def read_case(folder: Path) -> Case:
    """The case that a folder holds."""
    until = folder / "until"
    events = (folder / "events.jsonl").read_bytes()
    lines = events.split(b"\n")
    ended = lines[-1] == b""
    return Case(
        (folder / "catalog.yaml").read_bytes(),
        (folder / "policy.yaml").read_bytes(),
        tuple(lines[:-1] if ended else lines),
        until.read_text(encoding="utf-8").strip() if until.exists() else None,
        ended,
    )


def generate(seed: int, size: int | None = None) -> Case:
    """One case; `size` is the number of lines (drawn from the seed unless said)."""
    draw = Random(seed)
    lines = draw.choice([15, 40, 40, 80, 150]) if size is None else size
    # A few events, and then a long time in which nothing but days happen.
    is_quiet = draw.random() < 0.2
    if is_quiet:
        lines = min(lines, draw.randint(8, 25))
    catalog_bytes = yaml_text(draw_catalog(draw), draw)
    catalog = read_catalog(catalog_bytes)
    place = draw_place(draw)
    policy_bytes = yaml_text(draw_policy(draw, catalog, place), draw)
    policy = read_policy(policy_bytes, catalog)
    history = History(draw, catalog, policy, place, lines)
    events = tuple(history.run())
    until = None
    if is_quiet or draw.random() < 0.8:
        days = draw.choice([100, 200, 400, 800]) if is_quiet else draw.choice([-3, 0, 1, 3, 10, 40])
        until = format_date(local_day(policy.zone, history.now) + days)
    return Case(catalog_bytes, policy_bytes, events, until, draw.random() < 0.9)


def count(outputs: Outputs) -> str:
    warnings, scores, rejections = len(outputs.warnings), len(outputs.scores), len(outputs.rejections)
    return f"{warnings} warnings, {scores} scores, {rejections} rejections"
