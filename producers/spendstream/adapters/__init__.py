"""From a provider's response to a usage event, whatever the provider calls its tokens.

One module per API; `registry` knows which reads what. All normalize to the contract: input includes cache, output
includes reasoning, absent is not zero. They raise `AdapterError` and nothing else.
"""

from spendstream.adapters.events import usage_event, usage_events
from spendstream.adapters.langchain import messages_in
from spendstream.adapters.otel import SpanUsage, extract_span, span_event
from spendstream.adapters.registry import PROVIDERS, extract
from spendstream.adapters.result import AdapterError, ExtractedUsage
from spendstream.adapters.streams import StreamAccumulator
from spendstream.adapters.wholes import found_in, is_message_chunk, is_whole, items_in

__all__ = [
    "PROVIDERS",
    "AdapterError",
    "ExtractedUsage",
    "SpanUsage",
    "StreamAccumulator",
    "extract",
    "extract_span",
    "found_in",
    "is_message_chunk",
    "is_whole",
    "items_in",
    "messages_in",
    "span_event",
    "usage_event",
    "usage_events",
]
