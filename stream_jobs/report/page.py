"""What our HTML pages have in common: templates that escape, one style, one script pinned by its hash, and one file.

A page needs nothing else: no network, no other file.
"""

import base64
import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from spendstream_schemas.alert_feed import SEVERITIES
from stream_jobs.base import readable as text
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.private import open_private
from stream_jobs.output.escape import escaped

RIGHT_TO_LEFT: Final = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\U00010800-\U00010fff\U0001e800-\U0001efff]+"
)
"""Letters of scripts that are."""
_HERE: Final = Path(__file__).parent
_SEVERITY_CLASSES: Final = {"critical": "bad", "error": "bad", "warning": "warn"}


def render(template: str, **values: Any) -> str:
    """The page. Every text from outside is escaped; the only script is ours."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_filters())
    script = (_HERE / "report.js").read_text(encoding="utf-8")
    return environment.get_template(template).render(
        script=Markup(script),  # noqa: S704 - our own file
        style=Markup((_HERE / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **values,
    )


def write(content: bytes, path: Path, flag: str) -> None:
    """A page or a picture, for its owner alone; readers see the whole file or the old one. Raises ConfigError when it
    can't be written, which names the flag that says where."""
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            # Written to as it is: a file in the place of /dev/null or /dev/stdout would break the machine.
            with open_private(path) as stream:
                stream.write(content)
            return
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=path.suffix)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; choose another with {flag}") from None


def exactly(amount: Decimal, unit: str, shown: str) -> Markup:
    """An amount as people read it, with every digit on hover."""
    return Markup('<span class="money" title="{} {}">{}</span>').format(text.exact(amount), unit, shown)


def _visible(value: Any) -> Any:
    """A name cannot turn the reading direction of the page, or look like another. One that is read from right to left
    does not draw the amount beside it to its other side."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return Markup(RIGHT_TO_LEFT.sub(r"\g<0>&lrm;", str(Markup.escape(escaped(value)))))  # noqa: S704 - is escaped


def _filters() -> dict[str, Callable[..., Any]]:
    return {
        "money": lambda amount: exactly(amount, "USD", text.money(amount)),
        "exact": text.exact,
        "count": text.count,
        "others": text.others,
        "instant": text.instant,
        "clock": text.clock,
        "rank": SEVERITIES.index,
        "rank_name": lambda severity: _SEVERITY_CLASSES.get(severity, ""),
        "duration": text.duration,
        "took": text.took,
        "who": lambda name, dimension: text.name_of(dimension, name),
    }
