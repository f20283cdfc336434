"""Chromium itself, as Debian packages it, driven over its DevTools protocol."""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest

REQUIRED_VARIABLE: Final = "SPENDSTREAM_TEST_BROWSER_REQUIRED"
# Read once: `conftest.py` takes it out of the environment, in which the application would find it strange.
REQUIRED: Final = bool(os.environ.get(REQUIRED_VARIABLE))
BINARY_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_S: Final = 60.0
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
OPTIONS: Final = (
    "--headless",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-popup-blocking",
    # A page whose window is covered by another goes on at full speed.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    # What is under test is our servers, not how well this version of the browser protects them.
    "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
    "--remote-debugging-pipe",
)


def binary() -> str:
    """Skips the test when there is none, unless the environment says that there must be one."""
    found = next((path for name in BINARY_NAMES if (path := shutil.which(name))), None)
    if found is None:
        message = f"Chromium is not installed (apt-get install {BINARY_NAMES[0]})"
        if REQUIRED:
            pytest.fail(message)
        pytest.skip(message)
    return found


class Chromium:
    """One browser with a profile of its own, to which the names in `names` are other names of 127.0.0.1."""

    def __init__(self, folder: Path, names: tuple[str, ...] = ()) -> None:
        self._profile = folder / "profile"
        self._log = folder / "chromium.log"
        self._names = names
        self._process: subprocess.Popen[bytes] | None = None
        self._commands: asyncio.WriteTransport | None = None
        self._reader: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._tabs: dict[str, Tab] = {}

    async def __aenter__(self) -> Self:
        rules = ", ".join(f"MAP {name} 127.0.0.1" for name in self._names)
        command = [binary(), *OPTIONS, f"--user-data-dir={self._profile}", f"--host-resolver-rules={rules}"]
        # It reads commands from 3 and answers on 4, and ends when we do, however that is: then 3 is closed.
        commands_out, commands_in = os.pipe()
        answers_out, answers_in = os.pipe()
        redirect = f'exec "$@" 3<&{commands_out} 4>&{answers_in} {commands_out}<&- {answers_in}>&-'
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    ["/bin/bash", "-c", redirect, "chromium", *command],
                    stdout=log,
                    stderr=log,
                    pass_fds=(commands_out, answers_in),
                    start_new_session=True,  # its many processes end together
                )
        finally:
            os.close(commands_out)
            os.close(answers_in)
        loop = asyncio.get_running_loop()
        answers = asyncio.StreamReader(limit=MAX_ANSWER_BYTES)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(answers), os.fdopen(answers_out, "rb", 0))
        self._commands, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(commands_in, "wb", 0))
        self._reader = asyncio.create_task(self._read(answers))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._commands is not None:
            self._commands.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await asyncio.to_thread(self._process.wait, TIMEOUT_S)
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)

    async def send(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """The result of one command. Raises AssertionError with the browser's own words."""
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        assert self._commands is not None
        self._commands.write(json.dumps(message).encode() + b"\0")
        return await asyncio.wait_for(self._waiting[number], TIMEOUT_S)

    async def _read(self, answers: asyncio.StreamReader) -> None:
        while message := (await _until_nul(answers)):
            answer = json.loads(message)
            if "id" not in answer:
                if (tab := self._tabs.get(answer.get("sessionId", ""))) is not None:
                    tab.told(answer["method"], answer["params"])
                continue
            waiting = self._waiting.pop(answer["id"])
            if waiting.done():
                continue
            if "error" in answer:
                waiting.set_exception(AssertionError(f"Chromium: {answer['error']}"))
            else:
                waiting.set_result(answer["result"])
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(AssertionError(f"Chromium went away:\n{self._log.read_text()}"))

    async def tab(self) -> "Tab":
        """A new, empty one."""
        target = (await self.send("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        tab = self._tabs[session] = Tab(self, session)
        await tab.send("Page.enable")
        # A window that another one covers would put off what it plays.
        await tab.send("Emulation.setFocusEmulationEnabled", enabled=True)
        return tab


async def _until_nul(answers: asyncio.StreamReader) -> bytes:
    """The next message; empty at the end."""
    try:
        return (await answers.readuntil(b"\0"))[:-1]
    except asyncio.IncompleteReadError:
        return b""


class Tab:
    """One top-level window."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session
        self._loaded = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pages: dict[str, str] = {}

    async def send(self, method: str, **parameters: Any) -> Any:
        return await self._browser.send(method, self._session, **parameters)

    def told(self, method: str, event: Mapping[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Fetch.requestPaused":
            task = asyncio.create_task(self._fulfil(event))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def type_address(self, url: str) -> str:
        """What a person does who types an address: the text of the page that is then shown."""
        self._loaded.clear()
        error = (await self.send("Page.navigate", url=url, transitionType="typed")).get("errorText")
        assert error is None, f"{url}: {error}"
        await asyncio.wait_for(self._loaded.wait(), TIMEOUT_S)
        return str(await self.evaluate("document.body ? document.body.innerText.trim() : ''"))

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page, or of the promise that it is; as if a person had just clicked."""
        done = await self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    async def pretend(self, url: str, html: str) -> None:
        """From now on this one address is answered with this page, by nobody; everything else goes its way."""
        self._pages[url] = html
        await self.send("Fetch.enable", patterns=[{"urlPattern": url}])

    async def _fulfil(self, event: Mapping[str, Any]) -> None:
        body = base64.b64encode(self._pages[event["request"]["url"]].encode()).decode()
        headers = [{"name": "Content-Type", "value": "text/html; charset=utf-8"}]
        await self.send(
            "Fetch.fulfillRequest",
            requestId=event["requestId"],
            responseCode=200,
            responseHeaders=headers,
            body=body,
        )
