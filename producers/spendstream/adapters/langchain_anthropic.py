"""Anthropic's server tools in the content of LangChain's messages and chunks.

Whole messages carry Anthropic's usage, which counts them. Of a stream LangChain hands on the counts of tokens only
(langchain-anthropic leaves the rest of ``message_delta`` out), so there the blocks are what tells of tools.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from spendstream.adapters.result import ExtractedUsage

Block = Mapping[str, Any]
_IDS: Final = "srvtoolu_"
"""How Anthropic's ids of calls of server tools begin, wherever it is hosted."""
_COUNTED: Final = ("web_search", "web_fetch")
"""Tools that Anthropic's usage counts."""
_ADVISOR: Final = "advisor"
_COMPACTION: Final = "compaction"


def is_call(block: Block) -> bool:
    """Whether Anthropic has called one of its own tools here, in a block of its own form or in a standard one.

    The id says so, not the type: chunks of standard blocks that were added up may have the type of another one.
    """
    call = block.get("id")
    return isinstance(call, str) and call.startswith(_IDS) and isinstance(block.get("name"), str)


def calls(blocks: Iterable[Block]) -> dict[str, int | None]:
    """Calls of the tools that are billed by the call, each once; one that failed costs nothing.

    platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool: a search with an error is not billed.
    """
    found: dict[str, str] = {}
    failed = set()
    for block in blocks:
        if is_call(block) and block["name"] in _COUNTED:
            found[block["id"]] = block["name"]
        elif _has_failed(block):
            failed.add(_asked_by(block))
    names = [name for call, name in found.items() if call not in failed]
    return {name: names.count(name) for name in _COUNTED if name in found.values()}


def untold(blocks: Iterable[Block]) -> tuple[ExtractedUsage, ...]:
    """What is billed beside the totals, of a stream that has shown it and counted it nowhere: unpriced, not free."""
    shown = {_beside(block) for block in blocks}
    return tuple([ExtractedUsage(response_model=name) for name in (_ADVISOR, _COMPACTION) if name in shown])


def kept(blocks: Iterable[Block]) -> list[dict[str, Any]]:
    """What `calls` and `untold` need of a chunk, nothing that was written."""
    found: list[dict[str, Any]] = []
    for block in blocks:
        if is_call(block):
            found.append({"type": "server_tool_use", "id": block["id"], "name": block["name"]})
        elif block.get("type") == _COMPACTION:
            found.append({"type": _COMPACTION})
        elif _has_failed(block):
            found.append({"type": "server_tool_result", "tool_call_id": _asked_by(block), "status": "error"})
    return found


def _beside(block: Block) -> str | None:
    if block.get("type") == _COMPACTION:
        return _COMPACTION
    return _ADVISOR if is_call(block) and block["name"] == _ADVISOR else None


def _asked_by(block: Block) -> object:
    return block.get("tool_use_id") or block.get("tool_call_id")


def _has_failed(block: Block) -> bool:
    """Whether it is the result of a call that failed: in Anthropic's form, or in the standard one."""
    asked, said = _asked_by(block), block.get("content") or block.get("output")
    error = isinstance(said, Mapping) and said.get("error_code")
    return isinstance(asked, str) and asked.startswith(_IDS) and bool(error or block.get("status") == "error")
