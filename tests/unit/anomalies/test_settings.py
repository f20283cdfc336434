"""What can be set of the job."""

import pytest

from stream_jobs.anomalies.settings import MAX_PAIRS, AnomaliesSettings
from stream_jobs.base.environment import from_environment
from stream_jobs.base.errors import ConfigError


def test_pairs_are_levels_of_their_own() -> None:
    """Beside the total and the single ones, with labels, too."""
    levels = AnomaliesSettings(pairs="team+model, customer + feature,labels.tenant+model").levels
    assert levels[0] == ()
    assert levels[-3:] == (("team", "model"), ("customer", "feature"), ("labels.tenant", "model"))


@pytest.mark.parametrize(
    "pairs",
    [
        "team",
        "team+team",
        "team+colour",
        "team+model,model+team",
        "team+model+feature+user_id",
        "+",
        ",".join(["a"] * 9),
    ],
)
def test_what_cannot_be_watched_is_refused(pairs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable's name, whatever is wrong with it."""
    assert MAX_PAIRS < 9
    monkeypatch.setenv("SPENDSTREAM_ANOMALIES_PAIRS", pairs)
    with pytest.raises(ConfigError, match="SPENDSTREAM_ANOMALIES_PAIRS"):
        from_environment(AnomaliesSettings)
