"""Calls through LangChain and LiteLLM to a local provider: python -m tests.frameworks.calls langchain|several|litellm

Writes the events as a JSON list, in the order in which the calls were made.
"""

import asyncio
import json
import os
import sys
import warnings

from tests.unit.producers.provider_server import serve
from tests.unit.producers.recorder import Recorder

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would ask the network for prices
warnings.simplefilter("ignore")


def langchain(address: str, recorder: Recorder) -> None:
    from langchain_anthropic import ChatAnthropic
    from langchain_openai import ChatOpenAI

    models = {
        "openai": ChatOpenAI(model="gpt-4o", base_url=f"{address}/v1", api_key="k", stream_usage=True),
        "anthropic": ChatAnthropic(model_name="claude-sonnet-4-5", base_url=address, api_key="k", timeout=9, stop=None),
    }
    for name, model in models.items():
        with recorder.track(provider=name, model="asked") as call:
            call.record(model.invoke("hello"))
        with recorder.track(provider=name, model="asked") as call:
            for _ in call.wrap_stream(model.stream("hello")):
                pass

        async def ask(name: str = name, model: ChatOpenAI | ChatAnthropic = model) -> None:
            async with recorder.track(provider=name, model="asked") as call:
                async for _ in call.wrap_stream(model.astream("hello")):
                    pass

        asyncio.run(ask())


def several(address: str, recorder: Recorder) -> None:
    """What LangChain answers to several questions at once, and an agent's state and events."""
    from langchain_core.messages import HumanMessage
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="gpt-4o", base_url=f"{address}/v1", api_key="k", stream_usage=True)
    questions = [HumanMessage("hello")]
    with recorder.track(provider="openai", model="asked") as call:
        call.record(model.generate([questions]))
    with recorder.track(provider="openai", model="asked") as call:
        call.record(model.batch(["hello"]))
    with recorder.track(provider="openai", model="asked") as call:
        call.record({"messages": [*questions, model.invoke(questions)]})

    async def listen() -> None:
        async with recorder.track(provider="openai", model="asked") as call:
            async for _ in call.wrap_stream(model.astream_events("hello", version="v2")):
                pass

    asyncio.run(listen())


def litellm(address: str, recorder: Recorder) -> None:
    from litellm import acompletion, completion

    messages = [{"role": "user", "content": "hello"}]
    for model, base in (("openai/gpt-4o", f"{address}/v1"), ("anthropic/claude-sonnet-4-5", address)):
        arguments = {"model": model, "messages": messages, "api_base": base, "api_key": "k"}
        streamed = arguments | {"stream": True, "stream_options": {"include_usage": True}}
        with recorder.track(provider="litellm", model=model) as call:
            call.record(completion(**arguments))
        with recorder.track(provider="litellm", model=model) as call:
            for _ in call.wrap_stream(completion(**streamed)):
                pass

        async def ask(model: str = model, streamed: dict[str, object] = streamed) -> None:
            async with recorder.track(provider="litellm", model=model) as call:
                async for _ in call.wrap_stream(await acompletion(**streamed)):
                    pass

        asyncio.run(ask())


if __name__ == "__main__":
    with serve() as address:
        recorder = Recorder()
        {"langchain": langchain, "several": several, "litellm": litellm}[sys.argv[1]](address, recorder)
    print(json.dumps([event.model_dump(mode="json", exclude_none=True) for event in recorder.events]))
