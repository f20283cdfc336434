"""What the jobs of one process share."""

from pathlib import Path

import pytest

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.base.errors import ConfigError
from stream_jobs.job_context import InUse
from stream_jobs.pricing.book import PriceBook

RULES = "rules:\n  - name: everything is checkout's\n    fill: {team: checkout}\n"


def test_what_is_in_use_is_loaded_once_and_then_replaced_for_everybody(tmp_path: Path) -> None:
    """Files that change are not looked at again here; whoever takes them up says so, and who follows hears of it."""
    in_use = InUse(tmp_path)
    book, rules = in_use.book(), in_use.rules()
    (tmp_path / "attribution.yaml").write_text(RULES)
    assert in_use.rules() is rules
    heard: list[tuple[PriceBook, AttributionRules]] = []
    in_use.follow(lambda *told: heard.append(told))
    changed = AttributionRules.load(tmp_path)
    assert changed.version != rules.version
    in_use.use(book, changed)
    assert (in_use.book(), in_use.rules()) == (book, changed)
    assert heard == [(book, changed)]


def test_a_job_that_needs_prices_only_does_not_mind_rules_that_cannot_be_used(tmp_path: Path) -> None:
    """Each is loaded when it is first asked for."""
    (tmp_path / "attribution.yaml").write_text("rules: [{name: x, fill: {colour: red}}]")
    in_use = InUse(tmp_path)
    assert in_use.book().version
    with pytest.raises(ConfigError, match="colour"):
        in_use.rules()
