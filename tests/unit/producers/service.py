"""A service that publishes events, as a process of its own: tests drive it line by line, and kill it.

    python service.py CONFIG_JSON [FILE_SIZE_LIMIT]     each command on stdin gives one JSON line on stdout

emit PREFIX N     emit N events PREFIX-0 …; gives how many were accepted
settle            wait until nothing is in memory only
flush SECONDS     gives how many are still pending
stats, close      (end of stdin: exit, as a service does that never calls close)
fork PREFIX N     a forked child emits N events and exits; gives its exit code
stream PREFIX     emit without end, writing each accepted id as a line
"""

import json
import os
import sys
import time
from typing import Any

from spendstream import ProducerConfig, UsageProducer
from tests.full_disk import limit_files
from tests.unit.producers.support import event


def _emit(producer: UsageProducer, prefix: str, count: int) -> int:
    return sum(producer.emit(event(f"{prefix}-{number}")) for number in range(count))


def _settle(producer: UsageProducer) -> bool:
    while producer.stats().in_memory:
        time.sleep(0.005)
    return True


def _fork(producer: UsageProducer, prefix: str, count: int) -> int:
    pid = os.fork()
    if pid == 0:
        # A normal exit: the interpreter is torn down, and atexit closes the child's producer.
        sys.exit(0 if _emit(producer, prefix, count) == count else 3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _stream(producer: UsageProducer, prefix: str) -> None:
    number = 0
    while True:
        event_id = f"{prefix}-{number}"
        if producer.emit(event(event_id)):
            os.write(1, f"{event_id}\n".encode())
        number += 1


def _stats(producer: UsageProducer) -> dict[str, Any]:
    stats = producer.stats()
    mappings = {name: dict(getattr(stats, name)) for name in ("rejected", "dropped", "errors")}
    plain = {name: getattr(stats, name) for name in stats.__slots__ if name not in mappings}
    return plain | mappings


def main() -> None:
    config = ProducerConfig.model_validate(json.loads(sys.argv[1]))
    if len(sys.argv) > 2:
        limit_files(int(sys.argv[2]))
    producer = UsageProducer(config)
    for line in sys.stdin:
        command, *arguments = line.split()
        answer: object
        if command == "emit":
            answer = _emit(producer, arguments[0], int(arguments[1]))
        elif command == "settle":
            answer = _settle(producer)
        elif command == "flush":
            answer = producer.flush(float(arguments[0]))
        elif command == "stats":
            answer = _stats(producer)
        elif command == "fork":
            answer = _fork(producer, arguments[0], int(arguments[1]))
        elif command == "stream":
            _stream(producer, arguments[0])
        else:
            producer.close()
            answer = _stats(producer)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
