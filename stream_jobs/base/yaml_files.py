"""Reading the YAML that people edit (prices, overlays, rules) without ever making a float of a price.

Whatever a file holds, it is read in time and memory linear in its size, or refused with a ConfigError that names file
and line: PyYAML itself raises a dozen kinds of exception for values that look like dates and numbers and are none,
follows aliases into exponential growth, and nesting into the end of the stack.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import yaml

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import printable, read_file

MAX_BYTES: Final = 8 * 1024 * 1024
"""A rate card of all GPU offers of a large cloud has about 2 MB."""
MAX_NODES: Final = 400_000  # values and keys, with what aliases stand for counted each time
MAX_DEPTH: Final = 40
MAX_NUMBER_CHARS: Final = 64
MAX_EXPONENT: Final = 40
MAX_DIRECTIVES: Final = 100  # the parser compares each with all before it
MAX_UNREADABLE: Final = 100  # values that are named before the rest of the file is left alone
SHOWN_CHARS: Final = 80
# Line breaks that only YAML takes for one are not among what is allowed: they'd change what the file says unseen.
_NOT_YAML: Final = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_TAG: Final = "tag:yaml.org,2002:"
_Parser: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is twenty times faster, where it is there


class Unreadable:
    """Stands where a value stood that is none. Whatever checks the rest refuses it: it is of no type that is read."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content, and where in the file each part of it stands."""

    name: str
    content: Any
    """With `Unreadable` where `problems` are: for whoever finds out what else is wrong."""
    root: yaml.Node | None = None
    problems: tuple[str, ...] = ()
    """Values that cannot be read, each with file and line."""

    @property
    def data(self) -> Any:
        """The content. Raises ConfigError with every value that cannot be read."""
        if self.problems:
            raise ConfigError(list(self.problems))
        return self.content

    def at(self, place: Sequence[str | int] = ()) -> str:
        """'budgets.yaml:12' for the place (keys and indexes), or the closest thing around it that is there."""
        node, line = self.root, _line(self.root)
        for part in place:
            found = _child(node, part)
            if found is not None:
                key, node = found
                line = _line(key)
        return f"{self.name}:{line}"


def _line(node: yaml.Node | None) -> int:
    return 1 if node is None else node.start_mark.line + 1


def _child(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """What begins the part (its key, if it has one), and its value. Validators name parts that no file has."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


class _ExactLoader(_Parser):  # type: ignore[misc, valid-type]
    """Reads 0.1 as Decimal('0.1'), refuses a key given twice, and says of everything it refuses where it stands. Of
    single values that it refuses it makes a list, and goes on."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.unreadable: list[yaml.MarkedYAMLError] = []

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return self._construct(node, deep)
        except yaml.MarkedYAMLError as error:
            if not isinstance(node, yaml.ScalarNode) or len(self.unreadable) >= MAX_UNREADABLE:
                raise
            self.unreadable.append(error)
            self.recursive_objects.pop(node, None)  # it isn't being read any more: an alias may stand for it
            self.constructed_objects[node] = Unreadable()
            return self.constructed_objects[node]

    def _construct(self, node: yaml.Node, deep: bool) -> Any:
        try:
            return super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except Exception as error:  # noqa: BLE001 - of a dozen kinds, see the module
            raise _refusal(node, f"{_shown(node)} cannot be read as {_kind(node)}: {error}") from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        if not isinstance(node, yaml.MappingNode):  # a list that is tagged as a mapping
            raise _refusal(node, "expected a mapping")
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                raise _refusal(key_node, "merge keys (<<) are not supported: write the keys out")
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refusal(key_node, "a key must be a text, not a list or a mapping")
            key = self._construct(key_node, deep=True)  # one that cannot be read says nothing of its value
            if key in found:
                raise _refusal(key_node, f"the key {str(key)[:SHOWN_CHARS]!r} is given twice")
            found[key] = self.construct_object(value_node, deep=deep)
        return found


def _refusal(node: yaml.Node, problem: str) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _shown(node: yaml.Node) -> str:
    return repr(node.value[:SHOWN_CHARS]) if isinstance(node, yaml.ScalarNode) else "this"


def _kind(node: yaml.Node) -> str:
    kind = str(node.tag).removeprefix(_TAG)
    return {"timestamp": "a date or a time", "int": "a number", "float": "a number"}.get(kind, kind)


def _text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_scalar(node))
    if _SURROGATE.search(text):
        raise _refusal(node, "an escape stands for half of a character (U+D800 to U+DFFF)")
    return text


def _digits(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_scalar(node)).replace("_", "")
    if ":" in text:
        raise _refusal(node, f"{text[:SHOWN_CHARS]!r} is not a number: put quotes around it if it is a time or a text")
    if len(text) > MAX_NUMBER_CHARS:
        raise _refusal(node, f"{text[:16]!r}... is not a number: it has {len(text)} characters")
    return text


def _whole_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = _digits(loader, node)
    found = int(loader.construct_yaml_int(node))
    if (digits := text.lstrip("+-")).isdigit() and int(digits) != abs(found):
        # Nobody means 64 by an amount of 0100.
        plain = digits.lstrip("0")
        raise _refusal(
            node,
            f"{text!r} is {found} for YAML, which counts by eights behind a 0: write {plain}, or put quotes around it",
        )
    return found


def _exact_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    text = _digits(loader, node)
    try:
        value = Decimal(text)
    except ArithmeticError:
        value = Decimal("NaN")
    if not value.is_finite():
        raise _refusal(node, f"{text!r} is not a number")
    if value and abs(value.adjusted()) > MAX_EXPONENT:
        raise _refusal(node, f"{text!r} is out of range")
    return value


def _date_or_time(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> date | datetime:
    # The tag can be given to a text that does not look like a date at all.
    if loader.timestamp_regexp.match(node.value) is None:
        raise _refusal(node, f"{_shown(node)} is not a date (2026-04-01) or a time (2026-04-01T00:00:00Z)")
    found: date | datetime = loader.construct_yaml_timestamp(node)
    return found


# Whatever else YAML can stand for (sets, pairs, binary) is nothing that a file of ours holds.
_ExactLoader.yaml_constructors = {
    **{f"{_TAG}{kind}": _Parser.yaml_constructors[f"{_TAG}{kind}"] for kind in ("null", "bool", "seq", "map")},
    f"{_TAG}str": _text,
    f"{_TAG}int": _whole_number,
    f"{_TAG}float": _exact_number,
    f"{_TAG}timestamp": _date_or_time,
    None: _Parser.yaml_constructors[None],  # says that it does not know the tag
}


def place_and_problem(data: Any, location: Sequence[str | int], message: str, label: str = "name") -> str:
    """'rules[3] "cost centers": lookup: give ...' from one pydantic error about `data`.

    Items of lists are called by what they hold under `label`, if anything.
    """
    where, node = "", data
    for part in location:
        where += f"[{part}]" if isinstance(part, int) else f"{'.' if where else ''}{printable(part[:SHOWN_CHARS])}"
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            node = None
        if isinstance(part, int) and isinstance(node, dict) and isinstance(node.get(label), str):
            where += f" {node[label][:80]!r}"
    message = message.removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def load_yaml(path: Path) -> Any:
    """The parsed content. Raises ConfigError with file, line and what to do when it cannot be read."""
    return read_yaml(path).data


def read_yaml(path: Path) -> Document:
    """The same, with the lines. Raises ConfigError like `load_yaml`."""
    return _document(read_file(path, MAX_BYTES), printable(str(path)))


def parse_yaml_bytes(content: bytes, name: str) -> Document:
    """The document. Raises ConfigError with the name and the line when it is not valid."""
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{name}: is larger than {MAX_BYTES:,} bytes; is it the right file?")
    return _document(content, name)


def _document(content: bytes, name: str) -> Document:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}:{line}: is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    return _parsed(text, name)


def _parsed(text: str, name: str) -> Document:
    if (hidden := _NOT_YAML.search(text)) is not None:
        line = text.count("\n", 0, hidden.start()) + 1
        raise ConfigError(f"{name}:{line}: is not valid YAML: holds the character U+{ord(hidden[0]):04X}: remove it")
    if text.startswith("%") and text.count("\n%") > MAX_DIRECTIVES:
        raise ConfigError(f"{name}:1: is not valid YAML: begins with more than {MAX_DIRECTIVES} directives")
    unreadable: list[yaml.MarkedYAMLError] = []
    try:
        _check_shape(text, name)
        loader = _ExactLoader(text)
        unreadable = loader.unreadable
        try:
            root = loader.get_single_node()
            content = None if root is None else loader.construct_document(root)
        finally:
            loader.dispose()
        return Document(name, content, root, _problems(unreadable, text, name))
    except yaml.MarkedYAMLError as error:
        raise ConfigError(list(_problems([*unreadable, error], text, name))) from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
        raise ConfigError(f"{name}:1: is not valid YAML: {printable(str(error))}") from None


def _problems(errors: Sequence[yaml.MarkedYAMLError], text: str, name: str) -> tuple[str, ...]:
    last = len(text.splitlines()) or 1  # what is missing at the end is missed on a line of its own
    problems = []
    for error in errors:
        mark = error.problem_mark or error.context_mark
        context = f", {error.context}" if error.context else ""
        line = min(mark.line + 1, last) if mark is not None else 1
        problems.append(f"{name}:{line}: is not valid YAML: {printable(f'{error.problem}{context}')}")
    return tuple(problems)


def _check_shape(text: str, name: str) -> None:
    """Raises ConfigError for what would take too long, or too much memory, to build."""
    count, documents = 0, 0
    sizes: dict[str, int] = {}  # what an alias stands for
    begun: list[tuple[str | None, int]] = []  # collections that we are in: their anchor, and the count before them
    for event in yaml.parse(text, Loader=_Parser):
        mark = event.start_mark
        where = f"{name}:{mark.line + 1 if mark is not None else 1}"
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise ConfigError(f"{where}: begins a second document: make a file of its own of it")
        elif isinstance(event, yaml.AliasEvent):
            alias = str(event.anchor)
            if any(anchor == alias for anchor, _ in begun):
                raise ConfigError(f"{where}: the alias *{printable(alias)} stands for what it is a part of")
            count += sizes.get(alias, 1)  # one that is not known is refused by the parser
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            begun.append((event.anchor, count))
            count += 1
            if len(begun) > MAX_DEPTH:
                raise ConfigError(f"{where}: is nested more than {MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = begun.pop()
            if anchor is not None:
                sizes[anchor] = count - before
        if count > MAX_NODES:
            raise ConfigError(f"{where}: holds more than {MAX_NODES:,} values: split it into several files")
