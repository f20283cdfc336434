"""The load generator, a process of its own: `python -m tests.benchmarks.harness.load --bootstrap HOST:PORT ...`.

It reads lines from stdin: a number is how many messages it may have sent in all by then; the end of stdin says: finish.
So whoever reads the ledger holds the backlog at a bound, and a pipeline is measured at saturation for as long as one
likes. "flush" makes it answer how many the broker has acknowledged. What it did is its last line, as JSON.
"""

import argparse
import json
import sys
import threading
import time

from confluent_kafka import Producer

from tests.benchmarks.harness.messages import MessageMaker, templates

BATCH = 500  # messages for one partition at a time, as a busy service's producer would batch them


class Allowance:
    """How many messages may have been sent, as told on stdin."""

    def __init__(self) -> None:
        self.total = 0
        self.ended = False
        self.flush = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            with self._changed:
                if line.strip() == "flush":
                    self.flush = True
                else:
                    self.total = max(self.total, int(line))
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def wait_for(self, total: int) -> str:
        """Waits until there is something to do: "send" up to so many, "flush" when they are all sent, or "end"."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or self.total >= total or self.flush)
            if self.ended:
                return "end"
            if self.total >= total:
                return "send"
            self.flush = False
            return "flush"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--partitions", type=int, required=True)
    args = parser.parse_args()
    templates()
    producer = Producer(
        {
            "bootstrap.servers": args.bootstrap,
            "log_level": 0,
            # As the SDK sends: nothing counts as sent before every replica has it.
            "acks": "all",
            "compression.type": "lz4",
            "linger.ms": 5,
            "queue.buffering.max.messages": 200_000,
            "delivery.report.only.error": True,
        }
    )
    failed: list[str] = []
    allowance = Allowance()
    maker = MessageMaker()
    print("ready", flush=True)
    began = time.perf_counter()
    turn = 0
    while (what := allowance.wait_for(maker.made + BATCH)) != "end":
        if what == "flush":
            print(maker.made - producer.flush(120), flush=True)
            continue
        made = maker.make(BATCH)
        for key, value in zip(made.keys, made.values, strict=True):
            while True:
                try:
                    producer.produce(
                        args.topic,
                        value,
                        key,
                        partition=turn % args.partitions,
                        on_delivery=lambda error, _: failed.append(str(error)),
                    )
                    break
                except BufferError:  # the broker is slower than we are
                    producer.poll(0.05)
        turn += 1
        producer.poll(0)
        if failed:
            break
    left = producer.flush(120)
    seconds = time.perf_counter() - began
    print(json.dumps({"sent": maker.made, "left": left, "failed": failed[:3], "seconds": seconds}), flush=True)
    return int(bool(left or failed))


if __name__ == "__main__":
    sys.exit(main())
