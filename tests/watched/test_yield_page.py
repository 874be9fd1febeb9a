"""The page of the yield in a real browser: it draws, sorts, asks nothing of the network, and fits."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from casework.yields.counting import Cohort, count
from hearthwatch.yields.page import page
from hearthwatch.yields.shown import Naming, show
from rules.calendar import Calendar
from rules.words import Language
from tests.casework.cases.a_case import CATALOG, COMMUNITY, DAY, MONDAY, OTHER, POLICY
from tests.casework.yields.a_district import ENDINGS, NO_NEED, courses, opened
from tests.watched.conftest import installed

ALONE = "420106003006"
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
ASKED = """<script>
const told = {};
const all = (selector) => [...document.querySelectorAll(selector)];
told.fetched = performance.getEntriesByType("resource").map((one) => one.name);
told.inner = innerWidth;
told.wide = document.documentElement.scrollWidth > innerWidth;
told.sections = all("section").map((one) => one.id);
told.drawn = all("svg").length;
told.ids = all("[id]").map((one) => one.id);
told.charts = all("svg").filter((svg) => svg.getClientRects().length).map((svg) => ({
  layout: svg.classList[1],
  right: svg.getBoundingClientRect().right,
  room: svg.parentElement.scrollWidth - svg.parentElement.clientWidth,
  letters: Math.min(...[...svg.querySelectorAll("text")].map((one) => one.getBoundingClientRect().height)),
  covered: [...svg.querySelectorAll("text.value")].filter((value) =>
    [...svg.querySelectorAll("rect, text.name")].some((other) => {
      const a = value.getBBox(), b = other.getBBox();
      const isBeside = a.x >= b.x + b.width || b.x >= a.x + a.width;
      return !isBeside && a.y + 3 < b.y + b.height && b.y + 3 < a.y + a.height;
    })).map((value) => value.textContent),
  title: svg.querySelector("title").textContent,
  desc: svg.querySelector("desc").textContent,
  named: svg.getAttribute("aria-labelledby").split(" ").every((id) => document.getElementById(id)),
  hasTable: Boolean(svg.closest("section").querySelector("table caption")),
  bars: [...svg.querySelectorAll("rect")].map((rect) => rect.getBBox().width),
  faint: svg.querySelectorAll("rect.faint").length,
  outside: [...svg.querySelectorAll("text, rect, path")].filter((part) => {
    const box = part.getBBox(), sheet = svg.viewBox.baseVal;
    const right = box.x + box.width, bottom = box.y + box.height;
    return box.x < -1 || box.y < -1 || right > sheet.width + 1 || bottom > sheet.height + 1;
  }).map((part) => part.textContent),
}));
const table = document.querySelector("#indicator table");
const names = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
const click = (column) => table.tHead.rows[0].cells[column].querySelector("button").click();
const sorts = () => [...table.tHead.rows[0].cells].map((one) => one.getAttribute("aria-sort"));
told.rows = [names()];
click(0); told.rows.push(names()); told.sorted = [sorts()];
click(0); told.rows.push(names()); told.sorted.push(sorts());
click(5); told.rows.push(names());
told.needs = [...table.tBodies[0].rows].map((row) => Number(row.cells[5].dataset.value));
told.back = getComputedStyle(document.body).backgroundColor;
const pre = document.createElement("pre");
pre.id = "told"; pre.textContent = JSON.stringify(told); document.body.append(pre);
</script>"""


@pytest.fixture(scope="session")
def browser() -> str:
    found = next((name for name in BROWSERS if shutil.which(name)), BROWSERS[0])
    return installed(found, "the page of the yield in a browser", BROWSERS[0])


def made(language: Language = "en") -> str:
    """The page of a district in which one community has a single family."""
    names = ["hospital-bills", "out-of-work", "domestic-violence", "single-parent"]
    families = []
    for number, ending in enumerate([*ENDINGS, "helped", "helped", "no need"] * 3):
        chosen = names[: 1 + number % 3] if number % 2 else names[number % 4 :]
        community = ALONE if number == 0 else OTHER if number % 3 == 0 else COMMUNITY
        family = opened(f"H{number}x", *chosen, community=community, at=MONDAY + 5 * number * DAY)
        ENDINGS[ending](family)
        families.append(family)
    found = count(
        courses(*families),
        Cohort(Calendar(POLICY.timezone)),
        no_need=NO_NEED,
        departments=CATALOG.departments,
    )
    return page(show(found, Naming(POLICY, CATALOG, language), until="2026-12-31"), language)


def open_page(browser: str, text: str, folder: Path, *options: str, width: int = 1200) -> dict[str, Any]:
    """What a script that stands at the end of the page sees in it."""
    file = folder / "page.html"
    file.write_text(text.replace("</body>", f"{ASKED}</body>"), "utf-8")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # it refuses root otherwise
    done = subprocess.run(
        [
            browser, *sandbox, "--headless", "--disable-gpu", "--no-first-run",
            f"--user-data-dir={folder}/profile", f"--window-size={width},900",
            *options, "--dump-dom", file.as_uri(),
        ],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stderr
    told: dict[str, Any] = json.loads(html.unescape(found.group(1)))
    return told


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_chart_is_drawn_named_and_has_its_table(
    browser: str, language: Language, tmp_path: Path
) -> None:
    told = open_page(browser, made(language), tmp_path)
    assert told["fetched"] == []
    assert told["sections"] == [
        "funnel", "codes", "wrong", "indicator", "department", "community", "street", "level", "month",
        "conclude",
    ]  # fmt: skip
    assert len(told["charts"]) == 9  # the first section has two, and two have none
    assert told["drawn"] == 18
    assert len(set(told["ids"])) == len(told["ids"])
    for chart in told["charts"]:
        assert chart["title"]
        assert chart["desc"]
        assert chart["named"]
        assert chart["hasTable"]
        assert chart["outside"] == []
        assert max(chart["bars"]) > 0
    funnel = told["charts"][0]["bars"]
    assert funnel == sorted(funnel, reverse=True)
    assert told["charts"][-1]["faint"] > 0  # months of few cases


def test_a_table_is_sorted_by_its_headings(browser: str, tmp_path: Path) -> None:
    told = open_page(browser, made(), tmp_path)
    as_made, ascending, descending, by_need = told["rows"]
    assert sorted(as_made) == ascending == descending[::-1]
    assert as_made != ascending
    assert [row[0] for row in told["sorted"]] == ["ascending", "descending"]
    assert all(one is None for row in told["sorted"] for one in row[1:])
    assert sorted(by_need) == ascending
    assert told["needs"] == sorted(told["needs"], reverse=True)


def test_it_fits_a_telephone_and_follows_the_dark(browser: str, tmp_path: Path) -> None:
    light = open_page(browser, made(), tmp_path, width=500)
    assert not light["wide"]
    dark = open_page(browser, made(), tmp_path, "--blink-settings=preferredColorScheme=0")
    assert light["back"] != dark["back"]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("width", "layout"), [(320, "slender"), (420, "slender"), (800, "broad")])
def test_every_chart_fits_the_window_and_can_be_read(
    browser: str, language: Language, width: int, layout: str, tmp_path: Path
) -> None:
    told = open_page(browser, made(language), tmp_path, width=width)
    assert told["inner"] == width
    assert not told["wide"]
    assert len(told["charts"]) == 9
    for chart in told["charts"]:
        assert chart["layout"] == layout
        assert chart["right"] <= width
        assert chart["room"] <= 0  # nothing is to be scrolled to
        assert chart["outside"] == []
        assert chart["covered"] == []
        assert chart["letters"] >= 8  # in pixels of the screen


def test_titles_cannot_break_out_of_the_page() -> None:
    text = made()
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|url\(|@import|\ssrc=", text)
    found = count(courses(opened("H1x", "odd<b>")), Cohort(Calendar(POLICY.timezone)))
    told = page(show(found, Naming(POLICY, CATALOG, "en")), "en")
    assert "odd<b>" not in told
    assert "odd&lt;b&gt;" in told
