"""What can be said of a finding, and for how long it holds. Apart from `marks`, since a command's help names it."""

from datetime import timedelta
from typing import Final, Literal, get_args

Word = Literal["real", "expected"]
WORDS: Final[tuple[Word, ...]] = get_args(Word)
LASTS: Final = timedelta(days=56)
