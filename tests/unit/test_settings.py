"""Settings from the environment."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from spendstream.config import _SECRET_FIELDS, ProducerConfig, variable
from stream_jobs.base.environment import PREFIX
from stream_jobs.base.errors import ConfigError
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.settings import SDK_VARIABLES, known_variables, load_settings, unknown_variables
from stream_jobs.settings_table import MASK, effective, markdown, shown

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def _set(monkeypatch: pytest.MonkeyPatch, **variables: object) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(PREFIX + name, str(value))


def test_without_variables_the_defaults_are_the_embedded_ones() -> None:
    """Nothing has to be set on one machine."""
    settings = load_settings()
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9092"
    assert settings.pipeline.max_block_rows == 60_000
    assert settings.pipeline.config_dir is None
    assert settings.clickhouse.database == "spendstream"


def test_variables_win_over_defaults_and_empty_ones_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """`SPENDSTREAM_X=` is the same as not setting it."""
    _set(monkeypatch, MAX_BLOCK_ROWS=10, FUTURE_TOLERANCE_S="", KAFKA_BOOTSTRAP_SERVERS="a:1, [::1]:2")
    settings = load_settings()
    assert settings.pipeline.max_block_rows == 10
    assert settings.pipeline.future_tolerance_s == 300
    assert settings.kafka.bootstrap_servers == "a:1, [::1]:2"


def test_the_config_folder_is_found_in_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`<data-dir>/config` counts when it exists and nothing else is said."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    _set(monkeypatch, DATA_DIR=data_dir)
    assert load_settings().pipeline.config_dir is None
    (data_dir / "config").mkdir()
    assert load_settings().pipeline.config_dir == data_dir / "config"
    _set(monkeypatch, CONFIG_DIR=tmp_path)
    assert load_settings().pipeline.config_dir == tmp_path


def test_all_problems_of_all_groups_are_reported_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One start shows every variable that has to be changed, typos included."""
    _set(
        monkeypatch,
        MAX_BLOCK_ROWS="many",
        LOG_LEVEL="LOUD",
        KAFKA_BOOTSTRAP_SERVERS="kafka",
        KAFKA_SSL_CA_LOCATION=tmp_path / "missing.pem",
        CLICKHOUSE_PORT=99999,
        FUTURE_TOLERENCE_S=5,
    )
    with pytest.raises(ConfigError) as caught:
        load_settings()
    names = {problem.partition(":")[0] for problem in caught.value.problems}
    assert names == {
        PREFIX + name
        for name in (
            "MAX_BLOCK_ROWS",
            "LOG_LEVEL",
            "KAFKA_BOOTSTRAP_SERVERS",
            "KAFKA_SSL_CA_LOCATION",
            "CLICKHOUSE_PORT",
            "FUTURE_TOLERENCE_S",
        )
    }
    assert "did you mean SPENDSTREAM_FUTURE_TOLERANCE_S?" in str(caught.value)


@pytest.mark.parametrize("servers", ["kafka", "kafka:", ":9092", "kafka:0", "kafka:65536", "a:1,,b:2", "kafka:٣"])
def test_addresses_without_a_port_are_refused(servers: str) -> None:
    """host:port, each of them."""
    with pytest.raises(ValueError, match="is not host:port"):
        KafkaSettings(bootstrap_servers=servers)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "needs sasl_mechanism"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN"}, "needs sasl_username"),
        ({"KAFKA_SASL_USERNAME": "me"}, "security_protocol is not SASL"),
        ({"CONFIG_DIR": "nowhere"}, "nowhere is not a folder"),
        ({"KAFKA_SASL_PASSWORD_FILE": "nowhere"}, "cannot be read"),
        ({"SESSION_TIMEOUT_S": "nan"}, "finite"),
    ],
)
def test_combinations_that_cannot_work_are_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    """What would fail at the first connection fails at the start."""
    _set(monkeypatch, **variables)
    with pytest.raises(ConfigError, match=message):
        load_settings()


def test_a_secret_can_come_from_a_file_and_never_shows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither repr, nor the table, nor an error shows a password."""
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    _set(
        monkeypatch,
        KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT",
        KAFKA_SASL_MECHANISM="PLAIN",
        KAFKA_SASL_USERNAME="me",
        KAFKA_SASL_PASSWORD_FILE=secret,
        CLICKHOUSE_URL="https://me:hunter2@ch:8443",
    )
    settings = load_settings()
    assert settings.kafka.sasl_password == SecretStr("hunter2")
    table = effective(settings)
    assert "hunter2" not in f"{settings.kafka!r} {settings.pipeline!r} {table!r}"
    (password,) = [row for row in table if row.variable == f"{PREFIX}KAFKA_SASL_PASSWORD"]
    assert (password.value, password.origin) == (MASK, f"file {secret}")
    _set(monkeypatch, KAFKA_SASL_PASSWORD="hunter2")
    with pytest.raises(ConfigError, match="keep one") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://me:hunter2@ch:8443", "https://hunter2@ch", "http://a:hunter2@b:1/?x=y@z", "me:hunter2@ch"]
)
def test_a_password_inside_of_a_url_is_masked(url: str) -> None:
    """However the URL is written."""
    assert "hunter2" not in shown(url)


def test_the_table_says_where_each_value_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """environment, default, or derived from another setting."""
    _set(monkeypatch, MAX_BLOCK_ROWS=7, CLICKHOUSE_URL="http://ch:1")
    rows = {row.variable.removeprefix(PREFIX): row for row in effective(load_settings())}
    assert (rows["MAX_BLOCK_ROWS"].value, rows["MAX_BLOCK_ROWS"].origin) == ("7", "environment")
    assert rows["LOG_LEVEL"].origin == "default"
    assert (rows["CLICKHOUSE_HOST"].value, rows["CLICKHOUSE_HOST"].origin) == ("ch", "derived")


def test_an_unknown_variable_is_a_typo_or_a_warning() -> None:
    """What resembles a setting is a problem; a stranger's variable only a warning; other programs' are not ours."""
    problems, warnings = unknown_variables(
        {
            "SPENDSTREAM_KAFKA_BOOTSTRAP_SERVER": "a:1",
            "SPENDSTREAM_WEATHER": "x",
            "HOME": "/",
            "SPENDSTREAM_SOURCE": "s",
        }
    )
    (problem,) = problems
    assert problem.startswith("SPENDSTREAM_KAFKA_BOOTSTRAP_SERVER: ")
    assert problem.endswith("did you mean SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS?")
    assert warnings == ["SPENDSTREAM_WEATHER: nothing reads this variable"]


def test_the_variables_of_the_sdk_are_known() -> None:
    """A service and a worker may share an environment: what the producer reads is no typo."""
    sdk = {variable(field) for field in ProducerConfig.model_fields}
    sdk |= {f"{variable(field)}_FILE" for field in _SECRET_FIELDS}
    assert sdk <= known_variables()
    assert sdk >= SDK_VARIABLES


def test_the_documented_settings_are_the_settings() -> None:
    """Regenerate with: python -m stream_jobs.settings_table infra/SETTINGS.md."""
    assert (ROOT / "infra" / "SETTINGS.md").read_text(encoding="utf-8") == markdown()


def test_every_setting_is_described() -> None:
    """No row of the table is empty."""
    rows = [line for line in markdown().splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    assert all(line.split("|")[-2].strip().endswith((".", ":8443.")) for line in rows)
