"""How many times more a peer costs, and whether the aims are met."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bench.faust_documented import ratio
from bench.peers.programs import PROGRAMS

OURS: Final = "hearthwatch"
AIM_US: Final = 14.0


def with_valkey(one: Mapping[str, Any]) -> dict[str, float]:
    """CPU of a program with what Valkey used for it: only ours keeps its states there."""
    more = one["servers_us"]["valkey"]["median"]
    return {key: round(one["cpu_us"][key] + more, 2) for key in ("min", "median", "max")}


def ratios(programs: Mapping[str, Any]) -> dict[str, Any]:
    """By peer: how many times more its process costs than ours; ``with_valkey``: than ours and Valkey."""
    ours = programs.get(OURS, {})
    if "cpu_us" not in ours:
        return {}
    whole = with_valkey(ours)["median"]
    return {
        name: {
            **ratio(one["cpu_us"], ours["cpu_us"]),
            "with_valkey": round(one["cpu_us"]["median"] / whole, 1),
        }
        for name, one in programs.items()
        if name != OURS and "cpu_us" in one
    }


def aims(programs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each aim in words, and whether it is met; of medians. What did not run has none."""
    ours = programs.get(OURS, {})
    if "cpu_us" not in ours:
        return []
    own = ours["cpu_us"]["median"]
    out = [{"what": f"household stage {own:.1f} us a record, aim {AIM_US:.0f}", "met": own <= AIM_US}]
    found = ratios(programs)
    for program in PROGRAMS:
        if program.times is not None and program.name in found:
            times = found[program.name]["median"]
            out.append(
                {
                    "what": f"{program.title}: {times:.1f} times ours, aim {program.times:.0f}",
                    "met": times >= program.times,
                }
            )
    return out
