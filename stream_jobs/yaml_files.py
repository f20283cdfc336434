"""Reading the YAML that people edit (prices, overlays, rules) without ever making a float of a price."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from stream_jobs.errors import ConfigError


class _ExactLoader(yaml.SafeLoader):
    """A safe loader that reads 0.1 as Decimal('0.1') and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _exact_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    text = str(loader.construct_scalar(node)).replace("_", "")
    try:
        value = Decimal(text)
    except ArithmeticError:
        value = Decimal("NaN")
    if not value.is_finite():
        raise yaml.constructor.ConstructorError(None, None, f"{text!r} is not a number", node.start_mark)
    return value


_ExactLoader.add_constructor("tag:yaml.org,2002:float", _exact_number)


def place_and_problem(data: Any, location: Sequence[str | int], message: str, label: str = "name") -> str:
    """'rules[3] "cost centers": lookup: give ...' from one pydantic error about `data`.

    Items of lists are called by what they hold under `label`, if anything.
    """
    where, node = "", data
    for part in location:
        where += f"[{part}]" if isinstance(part, int) else f"{'.' if where else ''}{part}"
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            node = None
        if isinstance(part, int) and isinstance(node, dict) and isinstance(node.get(label), str):
            where += f" {node[label][:80]!r}"
    message = message.removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def load_yaml(path: Path) -> Any:
    """The parsed document. Raises ConfigError with file, line and what to do when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 (byte {error.start})") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Any:
    """The parsed document. Raises ConfigError with the name and the line when it is not valid."""
    try:
        return yaml.load(text, Loader=_ExactLoader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: is not valid YAML: {error}") from None
