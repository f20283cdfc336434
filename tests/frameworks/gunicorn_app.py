"""A service under gunicorn: each request emits one event. SERVICE_CONFIG: the producer's settings (JSON)."""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from spendstream import ProducerConfig, UsageProducer
from tests.unit.producers.support import event

producer = UsageProducer(ProducerConfig.model_validate(json.loads(os.environ["SERVICE_CONFIG"])))


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    accepted = producer.emit(event(environ["PATH_INFO"].strip("/")))
    start_response("200 OK" if accepted else "503 Refused", [("Content-Length", "0")])
    return []
