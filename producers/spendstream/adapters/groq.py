"""Tools that Groq has executed itself: console.groq.com/docs/tool-use/built-in-tools, .../docs/browser-search.

Its usage does not count them; messages list them, with a name of the action, or its type.
"""

from typing import Any, Final

from spendstream.adapters.reader import Node

_TOOLS: Final = {
    "browser.search": "web_search",
    "browser_search": "web_search",
    "web_search": "web_search",
    "search": "web_search",
    "browser.open": "web_fetch",
    "visit_website": "web_fetch",
    "python": "code_execution",
    "code_interpreter": "code_execution",
    "code_execution": "code_execution",
}
_NOT_BILLED: Final = ("browser.find", "function")
"""To find in a page that is open, and a tool of the service's own."""
_UNNAMED: Final = "unnamed_tool"


def executed(root: Node) -> tuple[dict[str, int | None], str | None]:
    """The calls of its tools by the contract's names; and the names of those that nobody here knows, which make the
    call unpriced where a search context would stand."""
    names = [_name(tool) for choice in _choices(root) for tool in _executed(choice, "message")]
    known = [_TOOLS[name] for name in names if name in _TOOLS]
    others = sorted({name for name in names if name not in _TOOLS and name not in _NOT_BILLED})
    return {name: known.count(name) for name in dict.fromkeys(known)}, ",".join(others)[:64] or None


def keep(known: dict[str, object], chunk: Node) -> None:
    """What a chunk of a stream lists of them, each once however often it comes; no arguments and no results."""
    tools = [(choice.count("index"), tool) for choice in _choices(chunk) for tool in _executed(choice, "delta")]
    if not tools:
        return
    before: Any = known.get("choices") or [{"message": {"executed_tools": []}}]
    listed = {(one["choice"], one["index"]): one for one in before[0]["message"]["executed_tools"]}
    for choice, tool in tools:
        place = tool.count("index")
        key = (choice, len(listed) if place is None else place)
        listed[key] = {"choice": choice, "index": key[1], "name": _name(tool)}
    known["choices"] = [{"message": {"executed_tools": list(listed.values())}}]


def _choices(root: Node) -> list[Node]:
    return root.nodes("choices") if isinstance(root.raw("choices"), (list, tuple)) else []


def _executed(choice: Node, place: str) -> list[Node]:
    holder = None if isinstance(choice.raw(place), (str, int, float, list)) else choice.node(place)
    if holder is None or not isinstance(holder.raw("executed_tools"), (list, tuple)):
        return []
    return holder.nodes("executed_tools")


def _name(tool: Node) -> str:
    return tool.text("name", 64) or tool.text("type", 64) or _UNNAMED
