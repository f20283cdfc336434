"""The report's page in the real Chromium, on a phone and on a desk: it fits, and its tables can be read."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from stream_jobs.report.anomaly_page import anomaly_html
from stream_jobs.report.html import write_html
from tests.chromium import Chromium
from tests.unit.anomalies.build import shown
from tests.unit.report.build import report

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chromium")]

NAMES: Final = ("search", "customer-support-" + "x" * 90, "räksmörgås 検索 " + "wide " * 20)
# What reaches beyond the window, unless it lies in a box that scrolls by itself; and tables whose box cannot.
BEYOND: Final = """
(() => {
    const width = document.documentElement.clientWidth;
    const inside = element => element.closest('.scroll') !== null && !element.classList.contains('scroll');
    const wide = [...document.querySelectorAll('body *')]
        .filter(element => !inside(element) && element.getBoundingClientRect().right > width + 0.5)
        .map(element => element.outerHTML.slice(0, 120));
    const boxes = [...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth + 1);
    const loose = [...document.querySelectorAll('table')]
        .filter(table => table.closest('.scroll') === null).map(table => table.outerHTML.slice(0, 120));
    const narrow = [...document.querySelectorAll('td.t')]
        .filter(cell => cell.textContent.trim().length > 3 && cell.getBoundingClientRect().width < 60)
        .map(cell => cell.outerHTML.slice(0, 120));
    const low = [...document.querySelectorAll('td')]
        .filter(cell => cell.getBoundingClientRect().height > 320).map(cell => cell.outerHTML.slice(0, 120));
    return {
        scrolls: document.documentElement.scrollWidth > width, width, wide, loose, narrow, low,
        stuck: boxes.filter(box => getComputedStyle(box).overflowX !== 'auto').length,
        unreachable: boxes.filter(box => box.tabIndex < 0).length,
    };
})()
"""


async def _look(folder: Path, pages: Mapping[str, Path], width: int, scheme: str, ask: str = BEYOND) -> dict[str, Any]:
    found: dict[str, Any] = {}
    async with Chromium(folder) as browser:
        tab = await browser.tab()
        await tab.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=2, mobile=width < 600
        )
        await tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        for name, page in pages.items():
            await tab.type_address(page.as_uri())
            found[name] = await tab.evaluate(ask)
    return found


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_fits_its_window(tmp_path: Path, width: int) -> None:
    """With short, long and wide names: nothing is wider than the window, what is wider than its card scrolls inside of
    it (with the keyboard, too), and no cell is squeezed to a column of letters."""
    pages = {}
    for number, name in enumerate(NAMES):
        pages[name] = tmp_path / f"{number}.html"
        write_html(report(name), pages[name])
    for name, found in asyncio.run(_look(tmp_path, pages, width, "light")).items():
        assert width - 20 < found.pop("width") <= width, name  # less a bar for scrolling down
        assert not found.pop("scrolls"), (name, found)
        assert found == {"wide": [], "loose": [], "narrow": [], "low": [], "stuck": 0, "unreachable": 0}, name


# The finding's stretch, and how much of it is seen in the box of the plot.
SEEN: Final = """
(() => {
    const box = document.querySelector('.scroll.wide').getBoundingClientRect();
    const red = [...document.querySelectorAll('.scroll.wide path')]
        .find(path => getComputedStyle(path).fill === 'rgb(225, 87, 89)').getBoundingClientRect();
    const legend = [...document.querySelectorAll('.scroll.wide text')].find(text => text.textContent === 'the finding');
    return {
        shown: Math.min(red.right, box.right) - Math.max(red.left, box.left) > 40, begins: red.left >= box.left,
        ink: getComputedStyle(legend).fill === getComputedStyle(document.body).color,
    };
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_of_a_finding_begins_where_that_begins(tmp_path: Path, scheme: str) -> None:
    """The plot is wider than a phone; its legend has the colour of the page's letters."""
    page = tmp_path / "finding.html"
    page.write_text(anomaly_html(shown()), encoding="utf-8")
    found = asyncio.run(_look(tmp_path, {"finding": page}, 390, scheme, SEEN))
    assert found == {"finding": {"shown": True, "begins": True, "ink": True}}
