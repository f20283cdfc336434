"""Runs the examples of producers/FRAMEWORKS.md as they stand: python -m tests.frameworks.pages

Writes the events as a JSON list: of the streamed FastAPI answer, and of LiteLLM's call.
"""

import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import spendstream
from tests.unit.producers.provider_server import TEXT, serve
from tests.unit.producers.recorder import Recorder

PAGE = Path(__file__).parents[2] / "producers" / "FRAMEWORKS.md"


def main() -> None:
    warnings.simplefilter("ignore")
    job, serverless, fastapi, litellm = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    queued: dict[str, Any] = {"answer": lambda document: document + 1}
    exec(job, queued)
    assert queued["job"](1) == 2
    queued["producer"].close(0)
    handler: dict[str, Any] = {"answer": lambda event: event + 1}
    exec(serverless, handler)
    assert handler["handler"](1, None) == 2
    handler["producer"].close(0)
    recorder = Recorder()
    spendstream.UsageProducer = lambda _config: recorder  # type: ignore[assignment, misc]
    service: dict[str, Any] = {"__name__": "service"}
    exec(fastapi, service)
    from fastapi.testclient import TestClient

    assert TestClient(service["app"]).post("/answers", params={"question": "x"}).text == "".join(TEXT)
    exec(litellm, {"producer": recorder, "messages": [{"role": "user", "content": "x"}]})
    print(json.dumps([event.model_dump(mode="json", exclude_none=True) for event in recorder.events]))


if __name__ == "__main__":
    with serve() as address:
        os.environ |= {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "OPENAI_BASE_URL": f"{address}/v1",
            "OPENAI_API_KEY": "k",
            "ANTHROPIC_API_BASE": address,
            "ANTHROPIC_API_KEY": "k",
            "SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "SPENDSTREAM_SOURCE": "svc",
        }
        main()
