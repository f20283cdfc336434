"""The report's page in the real Chromium, on a phone and on a desk: it fits, and its tables can be read."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from stream_jobs.report.html import write_html
from tests.chromium import Chromium
from tests.unit.report.build import report

pytestmark = pytest.mark.xdist_group("chromium")

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


async def _look(folder: Path, pages: Mapping[str, Path], width: int, scheme: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    async with Chromium(folder) as browser:
        tab = await browser.tab()
        await tab.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=2, mobile=width < 600
        )
        await tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        for name, page in pages.items():
            await tab.type_address(page.as_uri())
            found[name] = await tab.evaluate(BEYOND)
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
