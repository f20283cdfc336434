"""Whether a request may pass, judged by what browsers say of theirs.

Our ports have no pages, and nothing that browsers are needed for. A person may type an address and read the answer;
programs may do what they are allowed to; a page from elsewhere, another port of this machine included, may do nothing,
whatever it embeds, sends or opens. Browsers tell where a request comes from in headers that no page can write:

- Sec-Fetch-Site, with all requests to addresses they trust, which loopback is: `none` is a person, `same-origin` is us.
- Origin and Referer, with some requests: must be our own address.
- User-Agent: on loopback, a browser that does not send Sec-Fetch-Site is too old to be told from a page.
- Host: the name that the page thinks it talks to (see names.py).
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from stream_jobs.runtime.browsers.names import Names, parse_host

ANSWER_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",  # an answer is no script and no style sheet
    "Cross-Origin-Resource-Policy": "same-origin",  # ... and no image of somebody else's page
    "Cross-Origin-Opener-Policy": "same-origin",  # a page that opens us keeps no hand on our window
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",  # for browsers that don't know frame-ancestors
    "Referrer-Policy": "no-referrer",  # statements and passwords can stand in our URLs
    "Cache-Control": "no-store",
}
"""What every answer carries, refusals too. There are no CORS headers: no other origin may read anything."""

FROM_A_PAGE: Final = (
    "Web pages may not use this port: type the address into the browser, or ask with a program such as curl."
)
UNKNOWN_BROWSER: Final = (
    "This browser does not say which page asks (Sec-Fetch-Site): take a current one, or a program such as curl."
)


class Refusal(NamedTuple):
    """Why a request gets 403: one line for who asked."""

    text: str
    unknown_host: str | None = None  # the name that was not admitted; an operator may have to admit it


def refusal(method: str, headers: Iterable[tuple[str, str]], names: Names) -> Refusal | None:
    """None for a request that may pass. `headers` are all of them as they came, with repetitions."""
    given: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in headers:
        given[name.lower()].append(value.strip())
    hosts = given["host"]
    host = parse_host(hosts[0]) if len(hosts) == 1 else None
    if not (names.admit(host) or (not hosts and names.admit_nameless)):
        return Refusal(names.hint, ", ".join(hosts))
    if any(_origin_of(value) != _own_origin(hosts) for value in given["origin"] + given["referer"]):
        return Refusal(FROM_A_PAGE)
    if sites := given["sec-fetch-site"]:
        return None if sites == ["same-origin"] or _is_typed(method, given) else Refusal(FROM_A_PAGE)
    from_browser = any(value.startswith("Mozilla/") for value in given["user-agent"])
    # Addresses other than loopback get no Sec-Fetch-Site from any browser unless they have TLS.
    if from_browser and (host is None or host.is_loopback):
        return Refusal(UNKNOWN_BROWSER)
    return None


def _is_typed(method: str, given: dict[str, list[str]]) -> bool:
    """A person opened the address in a window of its own: typed, or from outside of any page."""
    return (
        method in ("GET", "HEAD")
        and given["sec-fetch-site"] == ["none"]
        and given["sec-fetch-mode"] == ["navigate"]
        and given["sec-fetch-dest"] == ["document"]
    )


def _own_origin(hosts: list[str]) -> str:
    return f"http://{hosts[0].lower().removesuffix(':80')}" if hosts else ""


def _origin_of(url: str) -> str:
    """Scheme, host and port of an Origin or a Referer; what is no URL is nobody's origin."""
    scheme, found, rest = url.lower().partition("://")
    for end in "/?#\\":
        rest = rest.partition(end)[0]
    return f"{scheme}://{rest.removesuffix(':80')}" if found else "null"
