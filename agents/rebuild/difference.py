"""The first place where two states differ, in words that name no personal value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from agents.deciding import Stage
from rules import household

#: What these fields hold says nothing about a person.
_SHOWN: Final = (int, bool, type(None))
_HIDDEN: Final = "(not shown)"


def first_difference(stage: Stage, live: bytes | None, rebuilt: bytes | None) -> str:
    """For example ``residents.p000017.n: live 2, rebuilt 1``.

    Values are shown where they are numbers; texts may be personal.
    """
    if live is None or rebuilt is None:
        return f"live {_there(live)}, rebuilt {_there(rebuilt)}"
    found = _differ(stage.decoded(live), stage.decoded(rebuilt), "")
    return found or "the same, but written down in another order"


def _there(state: bytes | None) -> str:
    return "there is none" if state is None else "there is one"


def _differ(live: Any, rebuilt: Any, path: str) -> str | None:
    if type(live) is not type(rebuilt):
        return f"{path}: live {_shown(live)}, rebuilt {_shown(rebuilt)}"
    if isinstance(live, household.Resident):
        live.changing()  # as what is known, and not as its bytes
        rebuilt.changing()
    if isinstance(live, msgspec.Struct):
        return _first(
            (_differ(getattr(live, name), getattr(rebuilt, name), _join(path, name)))
            for name in live.__struct_fields__
        )
    if isinstance(live, dict):
        for key in sorted(live.keys() | rebuilt.keys(), key=str):
            if key not in live or key not in rebuilt:
                return f"{_join(path, key)}: only {'live' if key in live else 'rebuilt'}"
        return _first(_differ(live[key], rebuilt[key], _join(path, key)) for key in sorted(live, key=str))
    if isinstance(live, list | tuple):
        if len(live) != len(rebuilt):
            return f"{path}: live {len(live)}, rebuilt {len(rebuilt)} entries"
        return _first(
            _differ(one, other, f"{path}[{at}]")
            for at, (one, other) in enumerate(zip(live, rebuilt, strict=True))
        )
    if live != rebuilt:
        return f"{path}: live {_shown(live)}, rebuilt {_shown(rebuilt)}"
    return None


def _first(found: Iterable[str | None]) -> str | None:
    return next((one for one in found if one is not None), None)


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, _SHOWN) else _HIDDEN
