"""A patched service with the broker away: python -m tests.frameworks.greenlets gevent|eventlet WAY

SERVICE_CONFIG: the producer's settings (JSON). It answers requests in greenlets for SERVICE_SECONDS, each of which
sleeps 10 ms, emits, and calls what WAY names (late: spendstream was imported before the patch); and writes as JSON what
it answered, how long the hub once stood still (seconds), and what the producer says.
"""

import json
import os
import sys
import time
from typing import Any

if sys.argv[2] == "late":
    import spendstream.producer  # noqa: F401

if sys.argv[1] == "gevent":
    from gevent import monkey

    monkey.patch_all()
else:
    import eventlet

    eventlet.monkey_patch()

import logging  # after the patch, as its users do
import threading

from spendstream import Guard, GuardConfig, ProducerConfig, UsageProducer
from tests.unit.producers.support import event

logging.getLogger().addHandler(logging.FileHandler(os.devnull))  # its lock is the greenlets' now
GREENLETS = 20


def main(kind: str, way: str) -> dict[str, Any]:
    config = ProducerConfig.model_validate(json.loads(os.environ["SERVICE_CONFIG"]))
    seconds = float(os.environ["SERVICE_SECONDS"])
    producer = UsageProducer(config)
    guard = Guard(GuardConfig.from_producer(config)) if way == "guard" else None
    until = time.monotonic() + seconds
    answered: list[str] = []
    stalls: list[float] = []

    def serve(number: int) -> None:
        request = 0
        while time.monotonic() < until:
            time.sleep(0.01)
            event_id = f"{kind}-{number}-{request}"
            if producer.emit(event(event_id)):
                answered.append(event_id)
            if way == "flush" and request % 10 == 0:
                producer.flush(0.05)
            if guard is not None:
                guard.decide()
            request += 1

    def watch() -> None:
        while time.monotonic() < until:
            began = time.monotonic()
            time.sleep(0.005)
            stalls.append(time.monotonic() - began)

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(GREENLETS)]
    threads.append(threading.Thread(target=watch))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    producer.close()
    if guard is not None:
        guard.close()
    stats = producer.stats()
    return {
        "answered": answered,
        "longest_stall_s": max(stalls),
        "delivered": stats.delivered,
        "spooled": stats.spooled,
        "rejected": dict(stats.rejected),
        "dropped": dict(stats.dropped),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2])))
