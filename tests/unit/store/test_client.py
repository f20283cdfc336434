"""What the failures of ClickHouse mean to us."""

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError, StreamFailureError

from stream_jobs.base.errors import ConfigError, StoreUnavailableError
from stream_jobs.runtime.ports import free_port
from stream_jobs.store.client import MAX_IDS_BYTES, StoreQueryError, _parts, connect, store_errors
from stream_jobs.store.settings import ClickHouseSettings


def raised(error: Exception) -> BaseException:
    with pytest.raises(Exception) as caught, store_errors("http://db"):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OperationalError("no route"), StoreUnavailableError),
        (StreamFailureError("cut"), StoreUnavailableError),
        (ConnectionResetError("reset"), StoreUnavailableError),
        (DatabaseError("Code: 241. too much", code=241), StoreUnavailableError),
        (DatabaseError("Code: 202. busy", code=202), StoreUnavailableError),
        (DatabaseError("Code: 516. who?", code=516), ConfigError),
        (DatabaseError("Code: 62. syntax", code=62), StoreQueryError),
        (ClickHouseError("whatever"), StoreQueryError),
    ],
)
def test_failures_are_told_apart(error: Exception, kind: type[Exception]) -> None:
    """Retry what has nothing to do with the data, and nothing else."""
    assert type(raised(error)) is kind


def test_nobody_there_is_an_error_to_retry() -> None:
    """A closed port is the store being away."""
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        connect(ClickHouseSettings(port=free_port(), connect_timeout_s=1))


def test_ids_are_cut_into_parts_that_fit() -> None:
    """Nothing lost, nothing doubled, order kept, each part below the bound; one huge id goes alone."""
    ids = [f"{'é' * 50}{number}" for number in range(60_000)]
    parts = list(_parts(ids))
    assert [text for part in parts for text in part] == ids
    assert all(sum(map(len, part)) <= MAX_IDS_BYTES for part in parts)
    assert len(parts) > 1
    assert list(_parts([])) == []
    huge = "x" * (MAX_IDS_BYTES + 1)
    assert list(_parts([huge, "y"])) == [[huge], ["y"]]
