"""Names and conditions that people write: used, or refused with what is near."""

import pytest

from spendstream_schemas.scope import Condition
from stream_jobs.base.errors import ConfigError
from stream_jobs.economics.dimensions import dimension, scope
from stream_jobs.economics.question import figures_named

NASTY = [
    "team'",
    "",
    "labels.",
    "Team",
    "team; DROP TABLE ledger",
    "labels",
    "x" * 10_000,
    "labels." + "k" * 129,
    "events",
]


@pytest.mark.parametrize("name", NASTY)
def test_a_name_that_is_no_dimension_is_refused(name: str) -> None:
    """It never reaches a statement; the message is short and says what there is."""
    with pytest.raises(ConfigError, match="is no dimension") as refused:
        dimension(name)
    assert len(str(refused.value)) < 500


def test_the_nearest_names_are_said() -> None:
    """Of dimensions and of figures."""
    with pytest.raises(ConfigError, match="did you mean team"):
        dimension("taem")
    with pytest.raises(ConfigError, match="did you mean effective_cost"):
        figures_named(["efective_cost"])
    with pytest.raises(ConfigError, match="there is no figure"):
        figures_named(["'; --"])


@pytest.mark.parametrize(
    "name", ["labels.it's", 'labels."', "labels.a.b", "labels.\u0000", "labels.$x$", "source", "region", "day"]
)
def test_labels_of_any_name_source_and_region_are_dimensions(name: str) -> None:
    """A label's name is a parameter of the statement, so it may be anything."""
    assert dimension(name) == name


def test_conditions_are_taken_as_scopes_have_them() -> None:
    """Of dimensions that scopes do not know, too."""
    assert scope(["team=a", "sku=a*", "team=b", "status="]) == {
        "team": Condition(any_of=("a", "b")),
        "sku": Condition(glob="a*"),
        "status": Condition(missing=True),
    }


@pytest.mark.parametrize(
    "text",
    ["team", "", "=x", "day=2026-10-01", 'team={"nonsense": 1}', "team=" + "x" * 9999, "team=[]", 'team={"glob": 5}'],
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    """With the name of the flag, in one line."""
    with pytest.raises(ConfigError):
        scope([text])
