"""Whatever the umask of who starts it: what `spendstream up` and a service's SDK keep is their owner's alone."""

import os
from pathlib import Path

import pytest

from spendstream import ProducerConfig, UsageProducer
from spendstream_schemas import UsageEvent
from tests.integration.pipeline import Pipeline, until, usage_event
from tests.unit.base.test_private import mode, wide


@pytest.mark.slow
def test_nobody_else_can_read_what_is_kept(tmp_path: Path) -> None:
    """Store, logs, broker, config, instance and registry; and the spool of a service whose broker is away."""
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    before = os.umask(0)
    try:
        pipeline = Pipeline(tmp_path / "data")
        pipeline.environment = dict(os.environ) | {"XDG_RUNTIME_DIR": str(runtime)}
        try:
            pipeline.start()
            pipeline.send_events(usage_event("e"))
            until(lambda: pipeline.rows("SELECT 1 FROM ledger"), 60, "booked")
            assert mode(tmp_path / "data" / "instance.json") == 0o600
            pipeline.stop()
        finally:
            pipeline.kill()
        spool = tmp_path / "a" / "spool"
        producer = UsageProducer(
            ProducerConfig(bootstrap_servers="127.0.0.1:1", source="s", spool_dir=spool, durable=True)
        )
        assert producer.emit(UsageEvent.model_validate(usage_event("s")))
        producer.close(0)
    finally:
        os.umask(before)
    assert wide(tmp_path / "data") == wide(tmp_path / "a") == []
    assert list((tmp_path / "a").rglob("*.seg"))
    assert [path for path in wide(runtime) if path != str(runtime)] == []
