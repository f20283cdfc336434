"""What pages from elsewhere get from our HTTP ports, in the real Chromium: nothing."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from stream_jobs.runtime.browsers import LOOPBACK_ONLY, refusal
from stream_jobs.runtime.browsers.rule import FROM_A_PAGE
from stream_jobs.runtime.health import HealthServer
from tests.chromium import Chromium, Tab, binary
from tests.integration.web_pages.attacker import PAGE, Attacker
from tests.store_server import StoreProcess

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chromium")]

SECRET: Final = "61f0c3a7"
# A picture, and a script: whoever embeds the answer as either sees whether there was one.
PIXEL: Final = "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
ANSWER: Final = f"SELECT 'window.leaked = \"{SECRET}\"' FORMAT TSVRaw"
PICTURE: Final = f"SELECT unhex('{PIXEL}') FORMAT TSVRaw"
NO_ANSWER: Final = "SELECT throwIf(1) FORMAT TSVRaw"
# Vectors that put rows into a store which does not look who asks, and those that tell whether it had an answer.
WRITING: Final = frozenset(
    {
        "post fetch no-cors",
        "post fetch cors",
        "post fetch without referrer",
        "post fetch keepalive",
        "post fetch of a sandboxed frame",
        "post xhr",
        "post beacon",
        "post ping",
        "post form text",
        "post form urlencoded",
        "post form without referrer",
        "post form by redirect",
        "post csp report",
    }
)
READING: Final = frozenset({"script", "img", "img without referrer", "img by redirect", "object", "stylesheet"})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    binary()
    store = StoreProcess(tmp_path_factory.mktemp("store") / "store").wait_ready()
    _make_table(store)
    yield store
    store.kill()


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[StoreProcess]:
    binary()
    program = (str(Path(__file__).parent / "web_pages" / "open_store.py"), str(tmp_path / "record"))
    store = StoreProcess(tmp_path / "store", program=program).wait_ready()
    _make_table(store)
    yield store
    store.kill()


def _make_table(store: StoreProcess) -> None:
    with store.connect() as client:
        client.command("CREATE TABLE visits (line String) ENGINE = MergeTree ORDER BY line")


def rows(store: StoreProcess) -> list[str]:
    with store.connect() as client:
        return [row[0] for row in client.query("SELECT line FROM visits").result_rows]


def read(url: str) -> str:
    with urlopen(url, timeout=10) as response:
        return str(response.read().decode())


def addresses(store: StoreProcess, url: str = "") -> dict[str, str]:
    """As the reader: an answer, a picture, an error; as the writer, whose password the page happens to know: rows."""
    writer = {"user": "spendstream", "password": store.settings.secret()}
    queries = {
        "answer": {"query": ANSWER},
        "picture": {"query": PICTURE},
        "no answer": {"query": NO_ANSWER},
        "rows": writer | {"query": "INSERT INTO visits FORMAT LineAsString"},
    }
    return {name: f"{url or store.url}/?{urlencode(query)}" for name, query in queries.items()}


def typed_insert(store: StoreProcess) -> str:
    writer = {"user": "spendstream", "password": store.settings.secret()}
    return f"{store.url}/?{urlencode(writer | {'query': 'INSERT INTO visits VALUES (1)'})}"


@asynccontextmanager
async def page_of(tmp_path: Path, host: str) -> AsyncIterator[tuple[Tab, Chromium]]:
    """A tab that shows the attacker's page under a name; evil.example resolves to this machine."""
    async with Attacker() as attacker, Chromium(tmp_path, names=("evil.example",)) as browser:
        tab = await browser.tab()
        await tab.type_address(f"http://{host}:{attacker.port}/")
        yield tab, browser


async def rebound(browser: Chromium, store: StoreProcess) -> Tab:
    """A tab that shows the attacker's page, loaded from evil.example, which by now is the store's own address."""
    tab = await browser.tab()
    await tab.pretend(f"http://evil.example:{store.port}/kittens", PAGE)
    await tab.type_address(f"http://evil.example:{store.port}/kittens")
    return tab


async def attack(tab: Tab, urls: Mapping[str, str], patience_s: float = 25) -> dict[str, dict[str, str]]:
    seen: dict[str, dict[str, str]] = await tab.evaluate(f"attack({json.dumps(urls)}, {patience_s * 1000})")
    assert len(seen) > 50
    return seen


def tells_apart(seen: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """The vectors by which the page can tell one address' answer from another's."""
    return {vector: by_name for vector, by_name in seen.items() if len(set(by_name.values())) > 1}


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1"])
def test_a_page_from_elsewhere_reads_nothing_and_changes_nothing_in_the_store(
    store: StoreProcess, tmp_path: Path, host: str
) -> None:
    """A page of another site, of another name of this machine, of another port of it. It can't even tell a statement
    that answers from one that fails; and the same browser shows the answer to a person who types the address."""

    async def run() -> None:
        async with page_of(tmp_path, host) as (tab, _):
            before = read(f"{store.url}/metrics")
            seen = await attack(tab, addresses(store))
            assert read(f"{store.url}/metrics") == before
            assert SECRET not in json.dumps(seen)
            assert tells_apart(seen) == {}
            assert SECRET in await tab.type_address(addresses(store)["answer"])
            assert "Code:" in await tab.type_address(typed_insert(store))
            assert rows(store) == []

    asyncio.run(run())


def test_a_page_whose_name_turns_into_our_address_gets_nothing(store: StoreProcess, tmp_path: Path) -> None:
    """DNS rebinding: for the browser the page and the store are one origin. Nor does a person who types that name."""

    async def run() -> None:
        async with Chromium(tmp_path, names=("evil.example",)) as browser:
            tab = await rebound(browser, store)
            before = read(f"{store.url}/metrics")
            seen = await attack(tab, addresses(store, f"http://evil.example:{store.port}"))
            assert read(f"{store.url}/metrics") == before
            assert SECRET not in json.dumps(seen)
            assert tells_apart(seen) == {}
            assert '"basic",403' in seen["fetch cors"]["answer"]  # the page reads the refusal, so it was let that far
            for url in (f"http://{host}:{store.port}/metrics" for host in ("evil.example", "0.0.0.0", "x.localhost")):
                assert await tab.type_address(url) == LOOPBACK_ONLY.hint
            assert rows(store) == []

    asyncio.run(run())


def test_the_same_attack_succeeds_where_the_rule_is_missing(open_store: StoreProcess, tmp_path: Path) -> None:
    """So the test above can fail: every vector arrives, reads or writes, and each of its requests is what the rule
    refuses, by the headers that Chromium really sent."""

    record = tmp_path / "record"

    def visits() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in record.read_text().splitlines()]
        return [visit for visit in lines if "/" in visit["id"]]  # the others are the test's own

    async def run() -> dict[str, dict[str, str]]:
        async with page_of(tmp_path, "evil.example") as (tab, browser):
            seen = await attack(tab, addresses(open_store), patience_s=8)
            deadline = time.monotonic() + 20  # some vectors don't wait for their requests to be sent
            while missing := set(seen) - {visit["id"].partition("/")[0] for visit in visits()}:
                assert time.monotonic() < deadline, missing
                await asyncio.sleep(0.05)
            rebound_tab = await rebound(browser, open_store)
            answer = addresses(open_store, f"http://evil.example:{open_store.port}")["answer"]
            assert SECRET in await rebound_tab.evaluate(f"fetch({json.dumps(answer)}).then((answer) => answer.text())")
            return seen

    seen = asyncio.run(run())
    assert {visit["id"] for visit in visits() if visit["status"] == 200} >= {f"{vector}/rows" for vector in WRITING}
    assert len(rows(open_store)) >= len(WRITING)
    assert len(READING & set(tells_apart(seen))) >= 3  # on a busy machine some answers come after the page's patience
    for visit in visits():
        refused = refusal(visit["method"], visit["headers"], LOOPBACK_ONLY)
        assert refused is not None
        assert refused.text == FROM_A_PAGE


def test_a_page_from_elsewhere_reads_nothing_of_health_and_metrics(tmp_path: Path) -> None:
    """Nor does the process notice: not even its metrics are put together."""
    asked: list[str] = []

    def metrics() -> bytes:
        asked.append("metrics")
        return f"window.leaked = '{SECRET}'\n".encode()

    async def run(server: HealthServer) -> None:
        paths = ("healthz", "readyz", "metrics", "nothing")
        async with page_of(tmp_path, "localhost") as (tab, _):
            seen = await attack(tab, {path: f"{server.url}/{path}?" for path in paths})
            assert asked == []
            assert SECRET not in json.dumps(seen)
            assert tells_apart(seen) == {}
            assert SECRET in await tab.type_address(f"{server.url}/metrics")
            assert await tab.type_address(f"{server.url}/readyz") == "not yet"

    with HealthServer(0, lambda: "not yet", metrics=metrics) as server:
        asyncio.run(run(server))
