"""The clauses of a canonical line that say how a statement runs: SETTINGS and FORMAT."""

from collections.abc import Iterator, Sequence
from typing import Final

from stream_jobs.store.embedded.canonical import Token, unescape
from stream_jobs.store.embedded.errors import refusal
from stream_jobs.store.embedded.rights import Rights
from stream_jobs.store.embedded.setting_rules import check_setting
from stream_jobs.store.embedded.vocabulary import INPUT_FORMATS, OUTPUT_FORMATS, Vocabulary

_LOWER_OUTPUT_FORMATS: Final = {name.lower(): name for name in OUTPUT_FORMATS}
_CONDITIONS: Final = "additional_table_filters"
_MAX_CONDITIONS: Final = 100


def check_settings(found: Sequence[Token], rights: Rights, vocabulary: Vocabulary) -> list[str]:
    """The conditions that a setting adds to the statement. Raises EngineError (452, 115, 164)."""
    conditions: list[str] = []
    shown = found[1:3] if [token.value for token in found[:3]] == ["SHOW", "CHANGED", "SETTINGS"] else found[1:2]
    if [token.value.upper() for token in found] == ["SET", "ROLE", "NONE"]:  # what some clients begin with
        return conditions
    for at, token in enumerate(found):
        starts = token.kind == "word" and (token.value == "SETTINGS" or (at == 0 and token.value == "SET"))
        is_shown = found[0].value == "SHOW" and token in shown  # SHOW SETTINGS LIKE ..., SHOW CHANGED SETTINGS ...
        if not starts or is_shown or at + 1 >= len(found) or found[at + 1].kind not in ("word", "name"):
            continue
        position = at + 1
        while True:
            name, position = _setting_name(found, position)
            if name == _CONDITIONS:
                added, position = _condition_texts(found, position)
                conditions += added
            else:
                value, position = _setting_value(found, position)
                check_setting(name, value, vocabulary.settings, may_write=rights.may_write, limits=rights.limits)
            if position >= len(found) or found[position].value != ",":
                break
            position += 1
    return conditions


def _condition_texts(found: Sequence[Token], position: int) -> tuple[list[str], int]:
    """The conditions in {'table':'condition', ...}, and where the map ends. Grafana's ad-hoc filters come that way."""
    texts: list[str] = []
    kinds = [token.kind if token.kind == "text" else token.value for token in found[position:]]
    at = 1
    if kinds[:2] == ["{", "}"]:
        return texts, position + 2
    while kinds[:1] == ["{"] and kinds[at : at + 3] == ["text", ":", "text"]:
        texts.append(unescape(found[position + at + 2].value[1:-1]))
        if len(texts) > _MAX_CONDITIONS:
            break
        at += 4
        if kinds[at - 1 : at] == ["}"]:
            return texts, position + at
        if kinds[at - 1 : at] != [","]:
            break
    raise refusal(452, "SETTING_CONSTRAINT_VIOLATION", f"{_CONDITIONS} must be {{'table': 'condition', ...}}")


def _setting_name(found: Sequence[Token], position: int) -> tuple[str, int]:
    """The name before `=`. Raises EngineError (452) when none is there: what cannot be read is not let through."""
    parts = []
    while position < len(found) and (found[position].kind in ("word", "name") or found[position].value == "."):
        parts.append(found[position].value)
        position += 1
    if not parts or position >= len(found) or found[position].value != "=":
        raise refusal(452, "SETTING_CONSTRAINT_VIOLATION", "SETTINGS must be a list of name = value")
    return "".join(parts), position + 1


def _setting_value(found: Sequence[Token], position: int) -> tuple[str, int]:
    """A literal: a number, a text, or a word (true, DEFAULT). Raises EngineError for what is none."""
    sign = ""
    if position < len(found) and found[position].value == "-":
        sign, position = "-", position + 1
    if position < len(found) and found[position].kind in ("number", "text", "word"):
        token = found[position]
        text = unescape(token.value[1:-1]) if token.kind == "text" else token.value
        if not (token.kind == "word" and position + 1 < len(found) and found[position + 1].value == "("):
            return sign + text, position + 1
    raise refusal(452, "SETTING_CONSTRAINT_VIOLATION", "The value of a setting must be a number or a text")


def output_format_of(found: Sequence[Token], verb: str) -> str | None:
    """The format of a FORMAT clause, which stands outside of parentheses."""
    name = None
    for at, token in outside(found):
        if token.value == "FORMAT" and at + 1 < len(found) and found[at + 1].kind in ("word", "name"):
            name = found[at + 1].value
            if verb != "INSERT":
                name = check_output_format(name)
    return name


def outside(found: Sequence[Token]) -> Iterator[tuple[int, Token]]:
    """The words that stand outside of all parentheses, with their places."""
    depth = 0
    for at, token in enumerate(found):
        if token.kind == "sign":
            depth += (token.value in "([{") - (token.value in ")]}")
        elif depth == 0 and token.kind == "word":
            yield at, token


def check_output_format(name: str) -> str:
    """The format's name as the engine writes it. Raises EngineError (73) for one that it lacks or that would read a
    file."""
    if name.lower() not in _LOWER_OUTPUT_FORMATS:
        raise refusal(73, "UNKNOWN_FORMAT", f"Unknown or refused output format {name[:64]}")
    return _LOWER_OUTPUT_FORMATS[name.lower()]


def check_input_format(name: str) -> None:
    """Raises EngineError (73) for a format that the engine lacks or that would read a file."""
    if name not in INPUT_FORMATS:
        raise refusal(73, "UNKNOWN_FORMAT", f"Unknown or refused input format {name[:64]}")
