"""Which requests may pass."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.runtime.browsers import ANSWER_HEADERS, LOOPBACK_ONLY, Refusal, names_for, refusal
from stream_jobs.runtime.browsers.rule import FROM_A_PAGE, UNKNOWN_BROWSER

CHROMIUM = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
PROGRAMS = [
    "curl/8.14.1",
    "Prometheus/2.42.0",
    "Go-http-client/1.1",
    "clickhouse-go/2.40",
    "clickhouse-connect/1.0 (python)",
    "jdbc-v2/0.9.0 Apache-HttpClient/5.4",
    "Python-urllib/3.11",
    "kube-probe/1.31",
    "",
]
SITES = ["none", "same-origin", "same-site", "cross-site"]
MODES = ["navigate", "no-cors", "cors", "same-origin", "websocket"]
DESTS = ["document", "empty", "script", "image", "iframe", "frame", "object", "embed", "style", "report", "worker"]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "QUERY"]


def ask(method: str = "GET", *more: tuple[str, str], host: str = "127.0.0.1:8123") -> Refusal | None:
    return refusal(method, [("Host", host), *more], LOOPBACK_ONLY)


def fetch(site: str, mode: str, dest: str, method: str = "GET") -> Refusal | None:
    return ask(
        method,
        ("User-Agent", CHROMIUM),
        ("Sec-Fetch-Site", site),
        ("Sec-Fetch-Mode", mode),
        ("Sec-Fetch-Dest", dest),
    )


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("method", METHODS)
def test_programs_pass(program: str, method: str) -> None:
    """By any method; what they may do is another question."""
    assert ask(method, ("User-Agent", program)) is None


def test_a_program_that_says_a_part_of_what_browsers_say_passes() -> None:
    """Node's fetch sends Sec-Fetch-Mode alone."""
    assert ask("POST", ("User-Agent", "node"), ("Sec-Fetch-Mode", "cors"), ("Accept-Language", "*")) is None


def test_of_a_browsers_requests_only_our_own_and_typed_addresses_pass() -> None:
    """`none` is a person only where a whole window goes to an address, which is never a POST."""
    for site, mode, dest, method in product(SITES, MODES, DESTS, METHODS):
        typed = site == "none" and mode == "navigate" and dest == "document" and method in ("GET", "HEAD")
        passes = fetch(site, mode, dest, method) is None
        assert passes == (typed or site == "same-origin"), (site, mode, dest, method)


@pytest.mark.parametrize("site", ["", "Cross-Site", "unknown", "same-origin, cross-site", "none;x", "null"])
def test_a_site_that_is_none_of_the_known_ones_is_refused(site: str) -> None:
    """Also one that a later standard may bring."""
    assert fetch(site, "navigate", "document") == Refusal(FROM_A_PAGE)


def test_repeated_headers_do_not_hide_one_another() -> None:
    """Each of them counts, and of those that must be single a second one is refused."""
    same, cross = ("Sec-Fetch-Site", "same-origin"), ("sec-fetch-site", "cross-site")
    assert ask("GET", same, cross) == ask("GET", cross, same) == Refusal(FROM_A_PAGE)
    own, foreign = ("Origin", "http://127.0.0.1:8123"), ("ORIGIN", "http://evil.example")
    assert ask("GET", own, foreign) == ask("GET", foreign, own) == Refusal(FROM_A_PAGE)
    assert ask("GET", ("host", "evil.example")) is not None
    assert ask("GET", ("host", "127.0.0.1:8123")) is not None
    assert ask("GET", ("User-Agent", "curl/8"), ("User-Agent", CHROMIUM)) == Refusal(UNKNOWN_BROWSER)


@pytest.mark.parametrize("header", ["Origin", "Referer"])
@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example",
        "https://127.0.0.1:8123",  # what http serves is not what https serves
        "http://127.0.0.1:3000",
        "http://127.0.0.1",
        "http://localhost:8123",
        "http://127.0.0.1:8123.evil.example",
        "http://127.0.0.1:8123@evil.example",
        "http://evil.example/http://127.0.0.1:8123",
        "http://evil.example#@127.0.0.1:8123",
        "http://evil.example\\@127.0.0.1:8123",
        "chrome-extension://abcdef",
        "moz-extension://abcdef",
        "file:///tmp/page.html",
        "file://",
        "data:text/html,x",
        "about:client",
        "null",
        "",
        "127.0.0.1:8123",
    ],
)
def test_other_origins_are_refused_with_and_without_the_newer_headers(header: str, url: str) -> None:
    """Browsers too old for Sec-Fetch-Site say this much; and what calls itself same-origin must be it."""
    for more in ([], [("User-Agent", CHROMIUM)], [("Sec-Fetch-Site", "same-origin")]):
        for method in METHODS:
            assert ask(method, (header, url), *more) == Refusal(FROM_A_PAGE)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8123", "http://127.0.0.1:8123"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("LocalHost:8123", "http://localhost:8123"),
        ("[::1]:8123", "http://[::1]:8123"),
    ],
)
def test_our_own_origin_passes(host: str, origin: str) -> None:
    """As an answer of ours that is shown in a browser may ask again."""
    more = [("Sec-Fetch-Site", "same-origin"), ("Origin", origin), ("Referer", f"{origin}/?query=SELECT+1#x")]
    assert ask("POST", *more, host=host) is None


def test_a_browser_that_does_not_say_who_asks_is_refused_on_loopback() -> None:
    """An old one's <script> or <img> has neither Origin nor, if the page wishes so, Referer."""
    assert ask("GET", ("User-Agent", CHROMIUM)) == Refusal(UNKNOWN_BROWSER)
    assert ask("GET", ("User-Agent", CHROMIUM), ("Sec-Fetch-Mode", "no-cors")) == Refusal(UNKNOWN_BROWSER)
    assert ask("GET", ("User-Agent", CHROMIUM), host="localhost") == Refusal(UNKNOWN_BROWSER)


@pytest.mark.parametrize("headers", [[], [("Host", "")], [("Host", "evil.example")], [("Host", "0.0.0.0:8123")]])
def test_on_loopback_the_host_must_be_this_machine(headers: list[tuple[str, str]]) -> None:
    """Also for programs, and before anything else is looked at."""
    refused = refusal("GET", [*headers, ("Sec-Fetch-Site", "same-origin")], LOOPBACK_ONLY)
    assert refused is not None
    assert refused.text == LOOPBACK_ONLY.hint
    assert refused.unknown_host == "".join(value for _, value in headers)


def test_outside_of_loopback_people_look_and_pages_do_not() -> None:
    """Browsers say less to addresses without TLS; an origin, where they name one, must be ours."""
    exposed = names_for("0.0.0.0")
    person = [("Host", "10.0.0.5:8321"), ("User-Agent", CHROMIUM)]
    assert refusal("GET", person, exposed) is None
    assert refusal("GET", [*person, ("Referer", "http://10.0.0.5:8321/metrics")], exposed) is None
    for header in (
        ("Origin", "http://evil.example"),
        ("Referer", "http://evil.example/"),
        ("Sec-Fetch-Site", "cross-site"),
    ):
        assert refusal("GET", [*person, header], exposed) == Refusal(FROM_A_PAGE)
    forwarded = [("Host", "localhost:8321"), ("User-Agent", CHROMIUM)]
    assert refusal("GET", forwarded, exposed) == Refusal(UNKNOWN_BROWSER)
    rebound = refusal("GET", [("Host", "evil.example:8321"), ("User-Agent", "Prometheus/2")], exposed)
    assert rebound is not None
    assert "SPENDSTREAM_HTTP_ALLOWED_HOSTS" in rebound.text


def test_outside_of_loopback_probes_without_a_host_pass() -> None:
    """HAProxy's plain check is HTTP/1.0 without one; an empty one is nobody's."""
    exposed = names_for("0.0.0.0")
    assert refusal("GET", [], exposed) is None
    assert refusal("GET", [("Host", "")], exposed) is not None
    assert refusal("GET", [("User-Agent", CHROMIUM)], exposed) == Refusal(UNKNOWN_BROWSER)
    assert refusal("GET", [("Origin", "http://")], exposed) == Refusal(FROM_A_PAGE)
    assert refusal("GET", [("Origin", "")], exposed) == Refusal(FROM_A_PAGE)


NAMES = ["Host", "Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "User-Agent", "X-Other"]
VALUES = ["127.0.0.1:8123", "evil.example", "http://127.0.0.1:8123", "http://evil.example", "null", CHROMIUM, *SITES]
HEADERS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES) | st.text(max_size=20)), max_size=8)


@given(st.sampled_from(METHODS) | st.text(max_size=8), HEADERS)
def test_whatever_else_is_said_a_foreign_word_is_enough(method: str, headers: list[tuple[str, str]]) -> None:
    """No header makes up for another one, in whatever order, and none raises; refusals are single lines."""
    own = [("Host", "127.0.0.1:8123")]
    for foreign in (
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "null"),
        ("Origin", "http://evil.example"),
        ("Referer", "http://evil.example/"),
        ("Host", "evil.example"),
    ):
        for together in ([foreign, *own, *headers], [*own, *headers, foreign]):
            for names in (LOOPBACK_ONLY, names_for("0.0.0.0")):
                refused = refusal(method, together, names)
                assert refused is not None
                assert "\n" not in refused.text


def test_no_answer_lets_other_origins_read() -> None:
    """There is no CORS, and nothing is guessed, framed, cached or passed on."""
    assert not [name for name in ANSWER_HEADERS if name.lower().startswith("access-control")]
    assert ANSWER_HEADERS["X-Content-Type-Options"] == "nosniff"
    assert ANSWER_HEADERS["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in ANSWER_HEADERS["Content-Security-Policy"]
    assert ANSWER_HEADERS["Cache-Control"] == "no-store"
