"""Settings from SPENDSTREAM_* environment variables: one form for those of every package, and one way to read them.

Each variable is a field's name in capitals behind the group's prefix. An empty variable counts as not set.
"""

import os
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ValidationError

from stream_jobs.base.errors import ConfigError

if TYPE_CHECKING:  # whoever declares a group loads it; who only asks for a variable's name need not
    from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX: Final = "SPENDSTREAM_"
S = TypeVar("S", bound="BaseSettings")


def variables(prefix: str) -> "SettingsConfigDict":
    """The configuration of a group of settings whose variables begin so."""
    return {
        "env_prefix": prefix,
        "env_ignore_empty": True,
        "extra": "ignore",
        "frozen": True,
        "hide_input_in_errors": True,
    }


def prefix_of(group: "type[BaseSettings]") -> str:
    """How the variables of a group begin."""
    return group.model_config["env_prefix"]


def from_environment(group: type[S], **arguments: Any) -> S:
    """A group from environment and arguments; arguments win. Raises ConfigError with every problem, each by its
    variable's name."""
    try:
        return group(**arguments)
    except UnicodeEncodeError:  # before anything is validated
        raise ConfigError(_not_text(group)) from None
    except ValidationError as error:
        problems = []
        for item in error.errors(include_url=False, include_input=False, include_context=False):
            variable = prefix_of(group) + (str(item["loc"][0]).upper() if item["loc"] else "*")
            problems.append(f"{variable}: {item['msg'].removeprefix('Value error, ')}")
        raise ConfigError(problems) from None


def split_list(text: str) -> tuple[str, ...]:
    """The parts between commas, without the spaces around them. Raises ValueError for an empty one."""
    parts = tuple(part.strip() for part in text.split(",")) if text.strip() else ()
    if not all(parts):
        raise ValueError(f"{text!r} holds an empty name")
    return parts


def _not_text(group: "type[BaseSettings]") -> list[str]:
    """Which variables of a group hold bytes that are not UTF-8."""
    prefix = prefix_of(group)
    names = {prefix + field.upper() for field in group.model_fields}
    found = [name for name, text in sorted(os.environ.items()) if name.upper() in names and not _is_text(text)]
    return [f"{name}: is not UTF-8" for name in found] or [f"{prefix}*: a value is not UTF-8"]


def _is_text(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
