#!/usr/bin/env python3
"""Writes the dashboards of deploy/grafana/dashboards: ``.venv/bin/python scripts/dashboards/write.py``.

A query names a metric through :func:`queries.series`, which knows the workers' metrics and their labels, so
a dashboard cannot ask for one that is not there. Needs the development packages (``scripts/setup --dev``); a
test compares the files with what this writes, and runs every query over a live pipeline.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]  # it is run as a file, from anywhere

from boards_alerts import ALERTS  # noqa: E402
from boards_cases import CASES  # noqa: E402
from boards_flow import DEPARTMENTS, PIPELINE  # noqa: E402
from boards_state import LEDGER, WARNINGS  # noqa: E402
from grafana_foundation_sdk.builders import (  # noqa: E402
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402
from grafana_foundation_sdk.models import common as models  # noqa: E402
from grafana_foundation_sdk.models.dashboard import (  # noqa: E402
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat  # noqa: E402
from queries import Board, Panel  # noqa: E402

BOARDS: Final = (PIPELINE, DEPARTMENTS, WARNINGS, CASES, ALERTS, LEDGER)
FOLDER: Final = ROOT / "deploy" / "grafana" / "dashboards"
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")


def _drawn(panel: Panel) -> Any:
    """The builder of a panel."""
    builder: Any
    if panel.kind == "stat":
        builder = stat.Panel().graph_mode(models.BigValueGraphMode.AREA)
    elif panel.kind == "bars":
        builder = bargauge.Panel().orientation(models.VizOrientation.HORIZONTAL)
    elif panel.kind == "table":
        builder = table.Panel()
    else:
        builder = timeseries.Panel().legend(
            common.VizLegendOptions()
            .display_mode(models.LegendDisplayMode.TABLE)
            .placement(models.LegendPlacement.RIGHT)
            .show_legend(True)
            .calcs(["lastNotNull"])
        )
        if panel.kind == "stack":
            stacking = common.StackingConfig().mode(models.StackingMode.NORMAL)
            builder = builder.fill_opacity(40).stacking(stacking)
    builder = builder.title(panel.title).unit(panel.unit).span(panel.width).height(panel.height)
    builder = builder.datasource(SOURCE).min(0)
    if panel.help:
        builder = builder.description(panel.help)
    if panel.red is not None:
        steps = [Threshold(color="green"), Threshold(color="red", value=panel.red)]
        builder = builder.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    for number, (query, legend) in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query).ref_id(chr(ord("A") + number)).datasource(SOURCE)
        if legend:
            target = target.legend_format(legend)
        if panel.kind in ("table", "bars"):
            form = PromQueryFormat.TABLE if panel.kind == "table" else PromQueryFormat.TIME_SERIES
            target = target.instant().format(form)
        builder = builder.with_target(target)
    if panel.kind == "table":
        builder = builder.override_by_name("Time", [DynamicConfigValue("custom.hidden", True)])
    return builder


def text_of(board: Board) -> str:
    """A dashboard as Grafana imports it."""
    builder = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.help)
        .tags(["hearthwatch"])
        .time("now-3h", "now")
        .refresh("30s")
        .timezone("browser")
        .editable()
        .link(
            dashboard.DashboardLink("hearthwatch")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["hearthwatch"])
            .as_dropdown(True)
        )
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for heading, panels in board.rows:
        builder = builder.with_row(dashboard.Row(heading))
        for panel in panels:
            builder = builder.with_panel(_drawn(panel))
    text = JSONEncoder(sort_keys=True, indent=2).encode(builder.build())
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE) + "\n"


def main(folder: Path = FOLDER) -> None:
    """Write all of them."""
    for board in BOARDS:
        (folder / f"{board.uid.removeprefix('hearthwatch-')}.json").write_text(text_of(board), "utf-8")


if __name__ == "__main__":
    main()
