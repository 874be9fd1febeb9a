"""Style sheet and script of the page: both stand in it, so that it is one file."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --sheet: #ffffff; --back: #f6f8fa;
  --bar: #2f6f9f; --faint: #a9c4d8; --mark: #1f2328; --faintmark: #8c959f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --line: #3d444d;
  --sheet: #151b23; --back: #0d1117; --bar: #4c9bd1; --faint: #2b4a61; --mark: #e6edf3;
  --faintmark: #7d8590; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1120px; padding: 24px 20px 48px; color: var(--ink); background: var(--back);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "PingFang SC",
  "Microsoft YaHei", "WenQuanYi Zen Hei", sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 0 0 4px; }
p { margin: 0 0 12px; color: var(--soft); max-width: 84ch; }
section { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; padding: 18px 20px;
  margin: 16px 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px;
  margin: 16px 0; }
.tiles div { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px;
  padding: 10px 16px; }
.tiles dt { color: var(--soft); font-size: 13px; }
.tiles dd { margin: 0; font-size: 26px; font-weight: 600; font-variant-numeric: tabular-nums; }
.chart { display: block; width: 100%; height: auto; margin: 4px 0 14px; }
.chart.slender { display: none; max-width: 420px; }
@media screen and (max-width: 760px) { .chart.broad { display: none; } .chart.slender { display: block; } }
.chart text { fill: var(--ink); font-size: 13px; }
.chart .axis { fill: var(--soft); font-size: 11px; }
.chart .grid { stroke: var(--line); fill: none; }
.chart .bar { fill: var(--bar); }
.chart .bar.faint { fill: var(--faint); }
.chart .interval { stroke: var(--mark); stroke-width: 1.5; fill: none; }
.chart .interval.faint { stroke: var(--faintmark); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
table.narrow { width: auto; min-width: 340px; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { padding: 5px 8px; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: baseline; }
th:first-child { text-align: left; }
thead th { word-break: keep-all; color: var(--soft); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 400; min-width: 160px; }
td small { display: block; color: var(--soft); font-size: 11px; white-space: nowrap; }
td.faint, td.faint small { color: var(--soft); opacity: 0.75; }
button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer;
  text-align: inherit; }
button:hover, button:focus-visible { text-decoration: underline; }
th[aria-sort=ascending] button::after { content: " \\25b2"; }
th[aria-sort=descending] button::after { content: " \\25bc"; }
ul { margin: 0; padding-left: 20px; }
@media print { :root { --back: #ffffff; --sheet: #ffffff; --ink: #000000; --soft: #333333; --line: #bbbbbb;
  --bar: #2f6f9f; --faint: #a9c4d8; --mark: #000000; --faintmark: #777777; }
  body { padding: 0; max-width: none; font-size: 11px; } section { border: 0; padding: 8px 0; }
  .chart, tr, .tiles { break-inside: avoid; } h2 { break-after: avoid; }
  .wide { overflow: visible; }
  table { font-size: 9px; } th, td { padding: 3px 4px; } tbody th { min-width: 0; }
  td small { font-size: 8px; }
  thead { display: table-header-group; break-inside: avoid; } }
"""

SCRIPT: Final = """
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const isFirst = column === 0;
    const was = head.getAttribute("aria-sort");
    const order = was === (isFirst ? "ascending" : "descending") ? -1 : 1;
    const value = (row) => isFirst ? row.cells[0].textContent : -Number(row.cells[column].dataset.value);
    const rows = [...body.rows].sort((a, b) => {
      const x = value(a), y = value(b);
      return order * (isFirst ? x.localeCompare(y, document.documentElement.lang) : x - y);
    });
    heads.forEach((one) => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", (order === 1) === isFirst ? "ascending" : "descending");
    body.append(...rows);
  }));
}
"""
