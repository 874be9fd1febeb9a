"""Writes what docs/reference/http-api.md shows of the code: the routes with their roles, and the problems.

``python -m hearthwatch.api.page docs/reference/http-api.md`` puts them between the page's own marks.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from pathlib import Path

from casework.cases.page import rewritten
from hearthwatch.api.access import EVERYBODY
from hearthwatch.api.app import HANDLERS, roles_of
from hearthwatch.api.problems import STATUS, told_of


def parts() -> dict[str, str]:
    """What stands between the marks, by the name of the mark."""
    return {"routes": f"{routes()}\n", "problems": f"{problems()}\n"}


def routes() -> str:
    """Route x role, and what each route does."""
    lines = [f"| route | {' | '.join(EVERYBODY)} | |", f"|---|{'---|' * len(EVERYBODY)}---|"]
    for handler in HANDLERS:
        if not handler.include_in_schema:
            continue
        (path,) = handler.paths
        (method,) = handler.http_methods
        roles = roles_of(handler)
        cells = ["yes" if roles is None or role in roles else "" for role in EVERYBODY]
        does = (handler.fn.__doc__ or "").split("\n\n")[0].strip()
        does = " ".join(does.split()).rstrip(".")
        lines.append(f"| `{method} {path.replace(':str', '')}` | {' | '.join(cells)} | {does} |")
    return "\n".join(lines)


def problems() -> str:
    """Reason, status, and what to do."""
    lines = ["| reason | status | when, and what to do |", "|---|---|---|"]
    for reason, status in STATUS.items():
        lines.append(f"| `{reason}` | {status} {HTTPStatus(status).phrase} | {told_of(reason)} |")
    return "\n".join(lines)


def main(path: Path) -> None:
    """Rewrite a page in place."""
    path.write_text(rewritten(path.read_text("utf-8"), parts()), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
