"""What a tracked call costs in the service's request: `track` + `record` of a response of OpenAI's SDK, a streamed
chunk, and the first call of a process.

The first call is timed in a process of its own, with the response at hand, after the producer was made.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from openai.types.chat import ChatCompletion, ChatCompletionChunk

from spendstream import ProducerConfig, UsageProducer
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.kafka import ensure_topics
from stream_jobs.runtime.ports import free_port
from stream_jobs.runtime.topics import topic_specs
from tests.benchmarks.harness.options import parse, parser
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure, Report
from tests.unit.producers.provider_server import chat, chat_events

CALLS_PER_S: Final = 1_000  # slow enough that the background thread's work is not the figure
CHUNKS: Final = 100
FIRST: Final = "--first-call"


def response() -> ChatCompletion:
    return ChatCompletion.model_validate(chat())


def chunks() -> list[ChatCompletionChunk]:
    """A stream of CHUNKS chunks of text, and the two that end it."""
    texts, *rest = (ChatCompletionChunk.model_validate(body) for _, body in chat_events("gpt-4o")[-3:])
    return [texts] * CHUNKS + rest


def tracked(producer: UsageProducer, answer: ChatCompletion) -> None:
    with producer.track(provider="openai", model="gpt-4o", project="assistant", feature="search") as call:
        call.record(answer)


def streamed(producer: UsageProducer, parts: list[ChatCompletionChunk]) -> None:
    with producer.track(provider="openai", model="gpt-4o") as call:
        for _ in call.wrap_stream(iter(parts)):
            pass


def median_us(step: Callable[[], None], seconds: float, per: int = 1) -> float:
    """The p50 of a step, paced, divided by the number of things in it."""
    times: list[int] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times) < 20:
        began = time.perf_counter_ns()
        step()
        times.append(time.perf_counter_ns() - began)
        time.sleep(1 / CALLS_PER_S)
    return sorted(times)[len(times) // 2] / 1000 / per


def cpu_us(step: Callable[[], None], seconds: float) -> float:
    """The CPU time of the calling thread for a step, one after the other: what it costs where nothing else is measured
    with it. The p50 of paced calls has cold caches in it, and on a machine that sleeps in between, its waking up."""
    until, steps = time.perf_counter() + seconds, 0
    began = time.thread_time_ns()
    while time.perf_counter() < until or steps < 20:
        step()
        steps += 1
    return (time.thread_time_ns() - began) / 1000 / steps


def first_call_ms(address: str) -> float:
    """In a process that has made its producer and has a response, and has tracked nothing yet."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_track", FIRST, address],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return float(done.stdout)


def print_first_call(address: str) -> int:
    answer = response()
    with UsageProducer(ProducerConfig(bootstrap_servers=address, source="bench", spool_dir=None)) as producer:
        began = time.perf_counter()
        tracked(producer, answer)
        print((time.perf_counter() - began) * 1000)
    return 0


def main(arguments: list[str] | None = None) -> int:
    """1 when a floor is missed: about half of what a call cost when fields were read one `getattr` at a time."""
    args = parse(parser(__doc__, seconds=2, rounds=3), arguments, quick_seconds=0.1)
    found: dict[str, list[float]] = {"call": [], "cpu": [], "chunk": [], "first": []}
    answer, parts = response(), chunks()
    with tempfile.TemporaryDirectory() as folder:
        broker = TansuBroker(free_port(), Path(folder) / "broker")
        broker.start()
        ensure_topics(embedded_kafka(broker.address), topic_specs(embedded=True))
        config = ProducerConfig(bootstrap_servers=broker.address, source="bench", spool_dir=Path(folder) / "spool")
        try:
            with UsageProducer(config) as producer:
                for _ in range(args.rounds):
                    found["call"].append(median_us(lambda: tracked(producer, answer), args.seconds))
                    found["cpu"].append(cpu_us(lambda: tracked(producer, answer), args.seconds / 8))
                    producer.flush()
                    found["chunk"].append(median_us(lambda: streamed(producer, parts), args.seconds, len(parts)))
                    found["first"].append(first_call_ms(broker.address))
        finally:
            broker.stop()
    report = Report("track")
    for name, unit, floor, goal, values in (
        ("track + record, p50", "us", 120.0, 80.0, found["call"]),
        ("track + record, CPU", "us", 60.0, 45.0, found["cpu"]),
        ("a streamed chunk, p50", "us", 17.0, 8.0, found["chunk"]),
        ("the first call", "ms", 25.0, 3.0, found["first"]),
    ):
        bounds: Bounds = NOT_JUDGED if args.quick else (floor, goal)
        report.figures.append(Figure(name, unit, values, *bounds, lower_is_better=True))
    report.details = {"chunks_per_stream": len(parts), "calls_per_s": CALLS_PER_S}
    return report.finish()


if __name__ == "__main__":
    sys.exit(print_first_call(sys.argv[2]) if sys.argv[1:2] == [FIRST] else main())
