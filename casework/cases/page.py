"""Writes what docs/reference/cases.md shows of the code: the diagrams and the table of transitions.

``python -m casework.cases.page docs/reference/cases.md`` puts them between the page's own marks.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from casework.cases import commitment, transitions

_PARTS: Final = re.compile(r"(<!-- written from the code: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def parts() -> dict[str, str]:
    """What stands between the marks, by the name of the mark."""
    return {
        "states": f"```mermaid\n{transitions.diagram()}\n```\n",
        "transitions": f"{transitions.table()}\n",
        "commitment": f"```mermaid\n{commitment.diagram()}\n```\n",
    }


def rewritten(page: str, made: Mapping[str, str] | None = None) -> str:
    """A page with its parts as the code has them now.

    Args:
        made: what stands between the marks, by their names; by default :func:`parts`.

    Raises:
        KeyError: a mark names no part.
    """
    made = parts() if made is None else made
    return _PARTS.sub(lambda match: f"{match[1]}\n{made[match[2]]}\n{match[3]}", page)


def main(path: Path) -> None:
    """Rewrite a page in place."""
    path.write_text(rewritten(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
