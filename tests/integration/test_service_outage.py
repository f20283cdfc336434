"""A service keeps publishing while the pipeline stops and starts again and while the service itself is killed."""

import json
import threading
from pathlib import Path

import pytest

from stream_jobs.runtime.ports import free_port
from tests.integration.pipeline import Pipeline, until
from tests.integration.test_producer_service import Service


@pytest.mark.slow
def test_every_event_arrives_once_through_stops_of_broker_and_service(tmp_path: Path) -> None:
    """Broker stopped under a producing service, service killed -9 and started again, broker started again:
    each event that emit() accepted is in the ledger exactly once."""
    port = free_port()
    pipeline = Pipeline(tmp_path / "data", kafka_port=port)
    settings = {
        "bootstrap_servers": f"127.0.0.1:{port}",
        "source": "svc",
        "spool_dir": str(tmp_path / "spool"),
        "durable": True,  # accepted means: on disk or in Kafka, also when the service is killed
    }
    pipeline.start()
    emitted = 0
    service = Service(settings)
    try:
        emitted += service.ask("emit before 2000")
        # The pipeline stops while the service goes on publishing: what comes too late goes to the spool.
        stopping = threading.Thread(target=pipeline.stop)
        stopping.start()
        rounds = 0
        while stopping.is_alive():
            emitted += service.ask(f"emit during{rounds} 200")
            rounds += 1
        stopping.join()
        assert rounds > 5
        emitted += service.ask("emit away 1000")
        service.ask("settle")
        service.kill()
        service = Service(settings)
        emitted += service.ask("emit restarted 1000")
        pipeline.start()
        emitted += service.ask("emit after 1000")
        assert service.ask("flush 90") == 0
        until(lambda: pipeline.value("SELECT count() FROM ledger") >= emitted, 60, f"{emitted} events booked")
        stats = service.ask("close")
        assert stats["dropped"] == {}, stats
        assert pipeline.rows("SELECT count(), uniqExact(event_id) FROM ledger") == [(emitted, emitted)]
        for rollup in ("cost_1m", "cost_1h", "cost_1d", "operations_1d"):
            # Of one insert the ledger's rows are seen first, and then what its views made of them.
            until(lambda: pipeline.value(f"SELECT sum(events) FROM {rollup}") == emitted, 60, rollup)  # noqa: B023
    finally:
        service.kill()
        if not pipeline.exited():
            pipeline.stop()
    assert emitted == 5_000 + 200 * rounds, json.dumps({"emitted": emitted, "rounds": rounds})
