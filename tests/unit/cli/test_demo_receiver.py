"""Where the demo's alerts arrive."""

import json
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from stream_jobs.alerts.document import read_document
from stream_jobs.cli.demo import ALERTS_FILE, EXAMPLE_CONFIG
from stream_jobs.cli.demo_receiver import Arrived, DemoReceiver, without_receiver, write_url


def post(url: str, body: bytes) -> int:
    request = urllib.request.Request(url, data=body, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def event(alert_id: str, level: int) -> bytes:
    return json.dumps({"data": {"alerts": [{"alert_id": alert_id, "level": level}]}}).encode()


def test_what_arrives_is_shown_in_order_with_the_instant_of_its_arrival() -> None:
    """Also what came before anybody showed it; levels are those of what was shown."""
    shown: list[Arrived] = []
    with DemoReceiver() as receiver:
        before = time.time()
        assert post(receiver.url, event("a", 80)) == 204
        assert receiver.level("a") == -1
        receiver.show_with(shown.append)
        assert post(receiver.url, event("a", 100)) == 204
        assert post(receiver.url, event("b", 0)) == 204
        receiver.stop_showing()
        assert [item.data["alerts"][0]["level"] for item in shown] == [80, 100, 0]
        assert (receiver.level("a"), receiver.level("b"), receiver.level("c")) == (100, 0, -1)
    assert before <= shown[0].at <= shown[2].at <= time.time()


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"{}", b"3", b'{"data": {}}'])
def test_what_is_no_notification_is_refused(body: bytes) -> None:
    """And nothing is shown."""
    shown: list[Any] = []
    with DemoReceiver() as receiver:
        receiver.show_with(shown.append)
        assert post(receiver.url, body) == 400
    assert shown == []


def test_a_web_page_cannot_show_alerts() -> None:
    """A form of any page could otherwise post one; what claims a senseless length is refused, too."""
    shown: list[Any] = []
    with DemoReceiver() as receiver:
        receiver.show_with(shown.append)
        for header, status in (
            (("Origin", "http://evil.example"), 403),
            (("Sec-Fetch-Site", "cross-site"), 403),
            (("Host", "evil.example"), 403),
            (("Content-Length", "x"), 400),
            (("Content-Length", "-1"), 400),
        ):
            request = urllib.request.Request(receiver.url, data=event("a", 80), headers=dict([header]), method="POST")
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request, timeout=10)
            with caught.value as refused:
                assert refused.code == status
    assert shown == []


def test_the_demos_file_names_the_receiver_and_then_no_longer(tmp_path: Path) -> None:
    """Both are files that can be used."""
    path = Path(shutil.copy(EXAMPLE_CONFIG / ALERTS_FILE, tmp_path))
    write_url(path, "http://127.0.0.1:4711/")
    (receiver,) = read_document(path).receivers
    assert getattr(receiver, "url", "") == "http://127.0.0.1:4711/"
    without_receiver(path)
    assert read_document(path).receivers == ()
