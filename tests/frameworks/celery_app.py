"""A Celery worker whose tasks emit: python -m celery -A tests.frameworks.celery_app worker

SERVICE_CONFIG: the producer's settings (JSON), SERVICE_FOLDER: the queue's folder, and a file `done-<task>` per task.
"""

import json
import os
from pathlib import Path

from celery import Celery
from celery.signals import worker_ready

from spendstream import ProducerConfig, UsageProducer
from tests.unit.producers.support import event

TASKS = 4
EVENTS = 25
FOLDER = Path(os.environ["SERVICE_FOLDER"])

app = Celery("service", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": str(FOLDER),
    "data_folder_out": str(FOLDER),
    "control_folder": str(FOLDER / "control"),
}
app.conf.worker_max_tasks_per_child = int(os.environ.get("SERVICE_TASKS_PER_CHILD", "0")) or None
producer = UsageProducer(ProducerConfig.model_validate(json.loads(os.environ["SERVICE_CONFIG"])))


@app.task  # type: ignore[untyped-decorator]
def answer(task: int) -> None:
    for number in range(EVENTS):
        assert producer.emit(event(f"task-{task}-{number}"))
    (FOLDER / f"done-{task}").touch()


@worker_ready.connect  # type: ignore[untyped-decorator]
def _send(**_: object) -> None:
    for task in range(TASKS):
        answer.delay(task)
