"""Where this checkout lies, wherever the command is started from."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
