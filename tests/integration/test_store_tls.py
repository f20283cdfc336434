"""ClickHouse over TLS with an authority of one's own, by a proxy in front of the embedded store."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError, StoreUnavailableError
from stream_jobs.store.client import StoreClient
from stream_jobs.store.settings import ClickHouseSettings
from tests.integration.pipeline import COMMAND
from tests.store_server import StoreProcess
from tests.tls import Authority, tls_in_front_of


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def port(process: StoreProcess, authority: Authority) -> Iterator[int]:
    """Of TLS, with a certificate for localhost only."""
    with tls_in_front_of(process.port, authority.certificate("store", "DNS:localhost")) as port:
        yield port


def settings(process: StoreProcess, port: int, ca_file: Path | None, host: str = "localhost") -> ClickHouseSettings:
    return ClickHouseSettings(
        url=f"https://{host}:{port}", user="spendstream", password_file=process.folder / "credentials", ca_file=ca_file
    )


def test_a_server_of_our_own_authority_is_trusted(process: StoreProcess, authority: Authority, port: int) -> None:
    """Questions and inserts, several on one connection."""
    with StoreClient(settings(process, port, authority.file)) as store:
        assert store.rows("SELECT 1") == [(1,)]
        assert store.rows("SELECT count() FROM ledger") == [(0,)]


def test_what_cannot_be_trusted_is_refused_with_what_to_change(
    process: StoreProcess, authority: Authority, port: int, tmp_path: Path
) -> None:
    """Without the authority, with another one of the same name, by a name that is not in the certificate, after the
    certificate has expired, and where there is no TLS: each a ConfigError, since trying again would not help."""
    with pytest.raises(ConfigError, match=r"cannot be trusted.*SPENDSTREAM_CLICKHOUSE_CA_FILE"):
        StoreClient(settings(process, port, None))
    with pytest.raises(ConfigError, match="cannot be trusted"):
        StoreClient(settings(process, port, Authority(tmp_path).file))
    with pytest.raises(ConfigError, match=r"cannot be trusted.*127\.0\.0\.1.*a name in the server's certificate"):
        StoreClient(settings(process, port, authority.file, host="127.0.0.1"))
    expired = authority.certificate("expired", "DNS:localhost", days=0)
    with (
        tls_in_front_of(process.port, expired) as late,
        pytest.raises(ConfigError, match="certificate has expired"),
    ):
        StoreClient(settings(process, late, authority.file))
    with pytest.raises(ConfigError, match="does not speak TLS on this port"):
        StoreClient(settings(process, process.port, authority.file))


def test_a_server_that_is_away_is_still_something_to_retry(process: StoreProcess, authority: Authority) -> None:
    """TLS does not make an outage a mistake of the operator."""
    with (
        tls_in_front_of(1, authority.certificate("away", "DNS:localhost")) as port,
        pytest.raises(StoreUnavailableError),
    ):
        StoreClient(settings(process, port, authority.file))
    with pytest.raises(StoreUnavailableError):
        StoreClient(settings(process, port, authority.file))


def test_commands_use_it_too(process: StoreProcess, authority: Authority, port: int, tmp_path: Path) -> None:
    """`spendstream query` with the setting, and what it says without."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPENDSTREAM_")}
    environment["SPENDSTREAM_CLICKHOUSE_URL"] = f"https://localhost:{port}"

    def query(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, "query", "SELECT 'over TLS' AS told"],
            env=environment | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    trusted = query(SPENDSTREAM_CLICKHOUSE_CA_FILE=str(authority.file))
    assert (trusted.returncode, "over TLS" in trusted.stdout) == (0, True), trusted.stderr
    refused = query()
    assert refused.returncode == 2
    assert "SPENDSTREAM_CLICKHOUSE_CA_FILE" in refused.stderr
    assert "Traceback" not in refused.stderr
