"""The short way for plain chat completions says what the long way says, whatever anybody adds to them."""

import contextlib
import copy
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion
from pydantic import BaseModel, PrivateAttr

import spendstream.adapters
from spendstream.adapters import PROVIDERS, AdapterError, openai, openai_plain
from spendstream.adapters.reader import Node
from tests.unit.producers.adapters.test_openai import CHAT

SOURCES = Path(spendstream.adapters.__file__).parent.glob("*.py")
NAMES = sorted({name for source in SOURCES for name in re.findall(r'"([a-z][a-z0-9_]{2,40})"', source.read_text())})
"""Every name that any adapter may look for, and more."""
PLACES = ((), ("usage",), ("usage", "prompt_tokens_details"), ("usage", "completion_tokens_details"))
counts = st.integers(0, 2000)
texts = st.sampled_from(["", "default", "flex", "gpt-4o-search-preview", "gpt-4o", "ephemeral", "ON_DEMAND", "failed"])
values = st.one_of(
    counts,
    texts,
    st.none(),
    st.booleans(),
    st.dictionaries(st.sampled_from(NAMES), counts, max_size=2),
    st.lists(st.dictionaries(st.sampled_from(NAMES), counts, max_size=2), max_size=2),
)
changes = st.tuples(
    st.sampled_from(PLACES),
    st.one_of(st.sampled_from(NAMES), st.sampled_from(sorted(openai_plain._CHAT | openai_plain._USAGE))),
    values,
)


def said(read: Any, provider: str, root: Node) -> object:
    try:
        return read(provider, root)
    except AdapterError as error:
        return str(error)


def changed(place: tuple[str, ...], name: str, value: object, body: dict[str, Any]) -> None:
    for step in place:
        inner = body.get(step)
        if not isinstance(inner, dict):
            return
        body = inner
    body[name] = value


@settings(max_examples=400)
@given(provider=st.sampled_from(PROVIDERS), new=st.lists(changes, max_size=3), dropped=st.sampled_from(PLACES[1:]))
def test_the_short_way_says_what_the_long_way_says(
    provider: str, new: list[tuple[tuple[str, ...], str, Any]], dropped: tuple[str, ...]
) -> None:
    """Plain dicts and the SDK's objects, with fields of every adapter at any place in them."""
    body = copy.deepcopy(CHAT)
    if len(new) % 2:
        changed(dropped[:-1], dropped[-1], None, body)
    for place, name, value in new:
        changed(place, name, value, body)
    for response in (body, ChatCompletion.construct(**copy.deepcopy(body))):
        root = Node(response, provider)
        with contextlib.suppress(AdapterError):
            if openai_plain.usage_of(root) is None:
                continue
            assert said(openai.extract, provider, root) == said(openai._extract, provider, root)


def test_plain_responses_go_the_short_way() -> None:
    """As dict and as the SDK's object; not what has a field, a property or a secret more."""
    assert openai_plain.usage_of(Node(CHAT, "openai")) is not None
    assert openai_plain.usage_of(Node(ChatCompletion.model_validate(CHAT), "openai")) is not None

    class Gateways(ChatCompletion):
        @property
        def x_groq(self) -> dict[str, Any]:
            return {"usage": CHAT["usage"]}

    class Litellms(ChatCompletion):
        _hidden_params: dict[str, Any] = PrivateAttr(default_factory=dict)

    for other in (Gateways, Litellms):
        assert openai_plain.usage_of(Node(other.model_validate(CHAT), "openai")) is None
    extra = ChatCompletion.model_validate(CHAT | {"provider": "x"})
    assert openai_plain.usage_of(Node(extra, "openai")) is None


class Counts(BaseModel):
    prompt_tokens: int = 0
    total_tokens: int | None = None

    @property
    def completion_tokens(self) -> int:
        return 7


@pytest.mark.parametrize("again", [1, 2])
def test_models_are_read_alike_each_time(again: int) -> None:
    """What a class has not is remembered: neither its properties, nor what one object has beside its fields."""
    for _ in range(again):
        empty, full = Node(Counts(), "u"), Node(Counts(prompt_tokens=3, total_tokens=10), "u")
        assert [empty.raw(name) for name in ("prompt_tokens", "completion_tokens", "cached_tokens")] == [None, 7, None]
        assert [full.raw(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")] == [3, 7, 10]
        assert Node(ChatCompletion.model_validate(CHAT), "o").raw("request_id") is None
        more = ChatCompletion.model_validate(CHAT | {"request_id": "r"})
        assert Node(more, "o").raw("request_id") == "r"
    with pytest.raises(AdapterError, match=r"u\.prompt_tokens: cannot be read"):  # made without its class's knowledge
        Node(Counts.__new__(Counts), "u").raw("prompt_tokens")
