"""How the note of a budget's change begins that was not taken up."""

from typing import Final

REFUSED: Final = "refused: "
