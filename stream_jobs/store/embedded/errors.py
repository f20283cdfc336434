"""ClickHouse's error codes as its HTTP interface reports them."""

import re
from typing import Final

_CODE = re.compile(r"Code: (\d+)\. ")
_NESTED = re.compile(r"^(Code: \d+\. DB::Exception: )(?=Code: \d+\. DB::Exception: )")

_STATUS: Final[dict[int, int]] = {
    **dict.fromkeys(
        (6, 26, 27, 36, 38, 41, 42, 43, 53, 62, 69, 72, 117, 386, 456, 457), 400
    ),  # cannot be parsed or fitted
    194: 401,  # a password is required
    **dict.fromkeys((164, 192, 193, 497, 516), 403),
    **dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 81, 115), 404),  # an unknown function, table, format, setting, ...
    159: 408,
    307: 413,
    48: 501,
    **dict.fromkeys((202, 243, 439), 503),
}


class EngineError(Exception):
    """A statement failed. `code` is ClickHouse's, the message reads as ClickHouse writes it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def status(self) -> int:
        """The HTTP status ClickHouse answers with."""
        return _STATUS.get(self.code, 500)


def engine_error(error: Exception) -> EngineError:
    """From what the engine's Python layer raises, whose text holds 'Code: 62. DB::Exception: ...' somewhere."""
    text = str(error)
    match = _CODE.search(text)
    if match is None:
        return EngineError(1002, f"Code: 1002. DB::Exception: {text}. (UNKNOWN_EXCEPTION)")
    return EngineError(int(match[1]), _NESTED.sub("", text[match.start() :]).strip())


def refusal(code: int, name: str, message: str) -> EngineError:
    """An error of our own in ClickHouse's words."""
    return EngineError(code, f"Code: {code}. DB::Exception: {message}. ({name})")
