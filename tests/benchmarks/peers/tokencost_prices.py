"""tokencost, in the peers' environment: reads events as JSON (one list on the first line of stdin), then a number of
seconds per line; answers with a line of JSON each: first what it computed, then microseconds per event.

Prices come from the list in its wheel. It would fetch a newer one from the network only where it is told to.
"""

import json
import sys
import time
from decimal import Decimal

from tokencost import calculate_cost_by_tokens  # type: ignore[import-not-found, unused-ignore]

Event = tuple[str, int, int, int]


def cost(event: Event) -> Decimal | None:
    """USD of one event, None when it does not know the model."""
    model, uncached, cached, output = event
    try:
        total = Decimal(calculate_cost_by_tokens(uncached, model, "input"))
        total += Decimal(calculate_cost_by_tokens(output, model, "output"))
        if cached:
            total += Decimal(calculate_cost_by_tokens(cached, model, "cached"))
    except KeyError:
        return None
    return total


def main() -> None:
    events: list[Event] = [tuple(event) for event in json.loads(sys.stdin.readline())]
    print(json.dumps([None if (found := cost(event)) is None else str(found) for event in events]), flush=True)
    known = [event for event in events if cost(event) is not None]
    for line in sys.stdin:
        end = time.perf_counter() + float(line)
        best = float("inf")
        while True:
            began = time.perf_counter()
            for event in known:
                cost(event)
            now = time.perf_counter()
            best = min(best, (now - began) / len(known))
            if now >= end:
                break
        print(json.dumps(best * 1e6), flush=True)


if __name__ == "__main__":
    main()
