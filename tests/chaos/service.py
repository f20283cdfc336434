"""A service with the real SDK on a disk that is soon full:

python -m tests.chaos.service EVENTS_JSON BROKER SPOOL_FOLDER SECONDS FILE_SIZE_LIMIT

Emits every event, spread over SECONDS; one that is refused (memory and disk are full) is offered again, under the same
id, as a caller does that must not lose it. Ends when everything is delivered and prints its counters as one JSON line.
"""

import json
import sys
import time
from pathlib import Path

from spendstream import ProducerConfig, UsageProducer
from spendstream_schemas import UsageEvent
from tests.full_disk import limit_files

RETRY_S = 0.05


def main() -> int:
    path, address, spool, seconds, limit = sys.argv[1:]
    events = [UsageEvent.model_validate_json(json.dumps(event)) for event in json.loads(Path(path).read_text())]
    limit_files(int(limit))
    config = ProducerConfig(
        bootstrap_servers=address,
        source="chaos",
        spool_dir=Path(spool),
        memory_max_events=100,
        delivery_timeout_s=3,
        durable=True,
    )
    producer = UsageProducer(config)
    pause = float(seconds) / max(1, len(events))
    refused = 0
    for event in events:
        while not producer.emit(event):
            refused += 1
            time.sleep(RETRY_S)
        time.sleep(pause)
    while producer.flush(1):
        pass
    producer.close()
    stats = producer.stats()
    print(json.dumps({"refused": refused, "dropped": dict(stats.dropped), "errors": dict(stats.errors)}), flush=True)
    return 0 if not stats.dropped else 1


if __name__ == "__main__":
    sys.exit(main())
