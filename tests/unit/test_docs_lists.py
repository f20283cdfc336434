"""What the pages list is what there is: packages, modules, migrations, settings, topics, roles, rules. What the linter
holds, no page says in prose."""

import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

import stream_jobs.runtime.metrics
from spendstream.config import ProducerConfig, variable
from spendstream.guard import GuardConfig
from stream_jobs.base.environment import PREFIX
from stream_jobs.config_check import FILES, PRICE_FOLDERS
from stream_jobs.runtime.jobs import JOBS
from stream_jobs.runtime.kafka_access import NEEDS
from stream_jobs.runtime.kafka_acls import load_acls
from stream_jobs.runtime.topics import topic_specs
from stream_jobs.settings import PipelineSettings, known_variables
from stream_jobs.store.embedded.metrics import StoreMetrics
from tests.unit.pages import ARCHITECTURE, COMMANDS, PAGES, ROOT, code, name_of, section, text_of

NOW = [page for page in PAGES if page.name != "CHANGELOG.md"]
"""Pages that say what is, not what was."""
BASES = (ROOT, *(ROOT / name for name in ("stream_jobs", "schemas", "producers", "tests")))
IMPORT_RULE = re.compile(
    r"\b(?:may|must|never|not)(?: be)? import|\bimports? (?:nothing|everything|the|only)\b|\bimported by\b"
    r"|\bimports? (?:this|that) folder\b",
    re.IGNORECASE,
)
pages = pytest.mark.parametrize("page", NOW, ids=name_of)


def test_the_readme_fits_in_twelve_kilobytes() -> None:
    """It says what this is, shows it working, and leads on; reference stands beside its subject."""
    assert len((ROOT / "README.md").read_bytes()) <= 12_000
    assert len(re.findall(r"^\| \*\*", section(ROOT / "README.md", "What it promises"), re.MULTILINE)) == 7


def layers() -> list[set[str]]:
    """The linter's layers of the application, the highest first."""
    linter = tomllib.loads(text_of(ROOT / "pyproject.toml"))["tool"]["importlinter"]
    (contract,) = [contract for contract in linter["contracts"] if contract["type"] == "layers"]
    return [set(layer.split(" | ")) for layer in contract["layers"]]


def test_the_architecture_page_has_a_paragraph_for_each_part_in_the_order_of_the_layers() -> None:
    """The linter's list, from its top; neighbours in any order."""
    heads = re.findall(r"^\*\*(.+?)\*\*:", section(ARCHITECTURE, "Inside the application"), re.MULTILINE)
    listed = [name for head in heads for name in re.findall(r"\[([a-z_]+)\]|`([a-z_]+)\.py`", head)]
    names = iter([package or module for package, module in listed])
    assert [{next(names, "none") for _ in layer} for layer in layers()] == layers()
    assert next(names, None) is None


def test_no_page_says_in_prose_who_may_import_whom() -> None:
    """The linter says it, and holds it."""
    found = [
        f"{name_of(page)}: {line}" for page in NOW for line in text_of(page).splitlines() if IMPORT_RULE.search(line)
    ]
    assert found == []


@pages
def test_files_that_a_page_names_exist(page: Path) -> None:
    """A bare module is one of the page's own folder or below it; a path begins there, or at a folder of ours."""
    named = {word for word in code(text_of(page)) if re.fullmatch(r"[a-z0-9_*./-]+\.(py|sql|md|sh)", word)}
    modules = {name for name in named if "/" not in name and name.endswith(".py")}
    paths = {name for name in named if "/" in name and not name.startswith("/")}
    assert {name for name in modules if not [*page.parent.rglob(name)]} == set()
    assert {name for name in paths if not any([*base.glob(name)] for base in (page.parent, *BASES))} == set()


def tables(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each table of a page: the first cell of its head, and of each of its rows."""
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *rows = [line.split("|")[1].strip() for line in table.splitlines()]
        yield head, rows


@pages
def test_modules_that_a_page_lists_exist(page: Path) -> None:
    """What stands in a column of modules, with or without `.py`, is a module or a folder beside or below the page; and
    the page names all modules of its folder."""
    listed = {
        name for head, rows in tables(text_of(page)) if head in ("module", "modules") for name in code("".join(rows))
    }
    there = {path.relative_to(page.parent).as_posix() for path in page.parent.rglob("*")} if listed else set()
    there |= {path.rpartition("/")[2] for path in there}
    assert {name for name in listed if not {name.rstrip("/"), f"{name}.py"} & there} == set()
    modules = {path.stem for path in page.parent.glob("*.py") if not path.stem.startswith("__")} if listed else set()
    assert {name for name in modules if not re.search(rf"\b{name}\b", text_of(page))} == set(), "not listed"


def test_migrations_that_pages_name_exist() -> None:
    """By their whole names, or by their numbers."""
    migrations = {path.stem for path in (ROOT / "sql" / "migrations").glob("*.sql")}
    for page in PAGES:
        text = text_of(page)
        assert set(re.findall(r"\b\d{4}_[a-z]\w*", text)) <= migrations, page
        numbers = set(re.findall(r"\b[Mm]igrations? `?(\d{4})\b", text))
        assert numbers <= {name.partition("_")[0] for name in migrations}, page


def sdk_variables() -> set[str]:
    """What ProducerConfig and GuardConfig read."""
    return {variable(field, model.section) for model in (ProducerConfig, GuardConfig) for field in model.model_fields}


@functools.cache
def variables() -> frozenset[str]:
    """What the application, the SDK, or the tests and benchmarks read."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]
    ours = {name for text in texts for name in re.findall(r"\bSPENDSTREAM_(?:TEST|DETECTION)_[A-Z_]+\b", text)}
    found = {*known_variables(), *sdk_variables(), *ours}
    return frozenset(found | {f"{name}_FILE" for name in found if name.endswith("PASSWORD")})


@pages
def test_settings_that_a_page_names_exist(page: Path) -> None:
    """Whole names, beginnings (`SPENDSTREAM_RETENTION_*`) and, after a whole one, endings (`_ID_DAYS`)."""
    known = variables()
    text = text_of(page)
    for name, more in re.findall(rf"\b({PREFIX}[A-Z_]+)([*…]?)", text):
        assert any(one.startswith(name) for one in known) if more else name in known, name
    for name in (word for word in code(text) if PREFIX in text and re.fullmatch(r"_[A-Z][A-Z_]+", word)):
        assert any(one.endswith(name) for one in known), name


def test_the_sdks_table_of_settings_has_all_of_them() -> None:
    """Each row names variables without their common beginning."""
    table = section(
        ROOT / "producers" / "README.md", "Settings (`ProducerConfig.from_env`, everything wrong is reported at once)"
    )
    named = {word.partition("[")[0].rstrip(",") for _, rows in tables(table) for row in rows for word in code(row)}
    assert {PREFIX + name for name in named} == {variable(field) for field in ProducerConfig.model_fields}


def test_the_config_folder_is_what_is_read_from_it() -> None:
    """Files and folders, each with what checks it."""
    table = section(ROOT / "infra" / "OPERATING.md", "Settings, and the config folder")
    named = {name for _, rows in tables(table) for row in rows for name in code(row)}
    assert named == {*FILES, *(f"{folder}/*.yaml" for folder in PRICE_FOLDERS)}
    said = PipelineSettings.model_fields["config_dir"].description or ""
    assert [name for name in named if name.removesuffix("*.yaml") not in said] == []


def test_topics_that_pages_name_exist() -> None:
    """Each by its full name."""
    topics = {spec.name for spec in topic_specs(embedded=False)}
    for page in NOW:
        assert set(re.findall(r"\b[a-z]+(?:\.[a-z]+)*\.v\d+\b", text_of(page))) <= topics, page


def test_the_workers_that_pages_start_are_allowed_to_work() -> None:
    """Each call of `spendstream worker` has jobs that exist, and one of Kafka's roles may do what all of them do."""
    acls = load_acls()
    calls = {line for page in NOW for line in re.findall(r"spendstream worker ((?:[a-z_]+ ?)+)", text_of(page))}
    assert len(calls) >= 4
    for jobs in (call.split() for call in calls):
        needs = {need for job in jobs for need in NEEDS[job]}
        assert any(all(role in acls.roles_that_may(*need) for need in needs) for role in ("booking", "watching")), jobs
    (row,) = [line for line in section(COMMANDS, "Commands").splitlines() if line.startswith("| `spendstream worker")]
    assert code(row.rpartition("|")[0].rpartition("|")[2]) == set(JOBS)


def test_rights_in_kafka_that_pages_name_are_granted() -> None:
    """Each in the form: `Read` on `topic`, or on the group `name`."""
    right = re.compile(r"`(Create|Describe|Read|Write)` on\s(the\sgroup\s)?`([\w.-]+)`")
    named = {match for page in NOW for match in right.findall(text_of(page))}
    assert len(named) >= 2
    acls = load_acls()
    for operation, group, name in named:
        assert acls.roles_that_may(operation, "group" if group else "topic", name), (operation, name)


def test_roles_in_clickhouse_are_those_of_the_files() -> None:
    """roles.sql makes them, and for each team a file like the example."""
    folder = ROOT / "infra" / "clickhouse"
    made = {
        name.replace("team_search", "team_<name>")
        for path in folder.glob("*.sql")
        for names in re.findall(r"CREATE ROLE IF NOT EXISTS([\s\w,]+);", path.read_text(encoding="utf-8"))
        for name in re.findall(r"\w+", names)
    }
    (listed,) = [rows for head, rows in tables(text_of(folder / "README.md")) if head == "role"]
    assert {name for row in listed for name in code(row)} == made


def test_the_rules_of_prometheus_are_listed() -> None:
    """By their names, or by a beginning or an ending of them."""
    folder = ROOT / "infra" / "prometheus"
    groups = yaml.safe_load(text_of(folder / "spendstream.rules.yml"))["groups"]
    rules = {rule["alert"] for group in groups for rule in group["rules"]}
    (rows,) = [rows for head, rows in tables(text_of(folder / "README.md")) if head == "rule"]
    named = [re.compile(name.replace("...", r"\w+")) for row in rows for name in sorted(code(row))]
    for pattern in named:
        assert any(pattern.fullmatch(rule) for rule in rules), pattern
    assert [rule for rule in sorted(rules) if not any(pattern.fullmatch(rule) for pattern in named)] == []


def test_metrics_that_pages_name_exist() -> None:
    """A counter with or without its `_total`."""
    assert stream_jobs.runtime.metrics.RECORDS is not None  # registered by the import
    known = {family.name for registry in (REGISTRY, StoreMetrics().registry) for family in registry.collect()}
    known |= {"spendstream_schemas", "spendstream_traffic"}
    for page in NOW:
        named = {word for word in code(text_of(page)) if re.fullmatch(r"spendstream_[a-z_]+", word)}
        roles = {name for name in named if page.parent.name == "clickhouse" or name == "spendstream_worker"}
        assert {name.removesuffix("_total") for name in named - roles} <= known, page


def test_every_benchmark_is_documented() -> None:
    """The benchmarks' README has a row for each of them."""
    folder = ROOT / "tests" / "benchmarks"
    named = set(re.findall(r"^\| `([a-z_]+)` \|", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert named == {path.stem.removeprefix("bench_") for path in folder.glob("bench_*.py")}


def test_every_folder_says_what_it_is() -> None:
    """Each part of the application and each top-level folder has a README of about one screen."""
    folders = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    known = [path for path in folders if path.name in ("dashboards", "infra", "producers", "schemas", "sql", "tests")]
    packages = [path.parent for path in (ROOT / "stream_jobs").glob("*/__init__.py")]
    for folder in (*known, ROOT / "stream_jobs", *packages):
        lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
        assert 5 <= len(lines) <= 130, folder


def test_make_help_lists_the_targets_the_readme_names() -> None:
    """A target that the documents tell people to run has a line in `make help`."""
    described = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"help", "install", "demo", "test", "lint", "bench", "clean"} <= described
    for page in PAGES:
        assert set(re.findall(r"`make ([a-z-]+)", text_of(page))) <= described, page
