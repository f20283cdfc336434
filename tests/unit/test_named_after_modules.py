"""Unit tests are named after the modules that they test, in the folder of the same path.

`test_<module>.py`, or `test_<module>_<aspect>.py` where one file is not enough. What is tested across modules is
listed.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests/unit"
OUTSIDE_OF_THE_APPLICATION = {
    "bench_detection": "tests/benchmarks/detection",
    "bench_forecasts": "tests/benchmarks/forecasts",
    "benchmarks": "tests/benchmarks/harness",
    "catalogue": "tests/benchmarks/catalogue",
    "chaos": "tests/chaos",
    "producers": "producers/spendstream",
    "schemas": "schemas/spendstream_schemas",
    "traffic": "producers/spendstream_traffic",
}
ACROSS_MODULES = {
    "alerts/notifiers/test_documents.py",  # the messages of all vendors, on the same notifications
    "bench_detection/peers/test_all_peers.py",
    "cli/test_commands.py",
    "cli/test_common_parts.py",  # what no command may do by itself
    "cli/test_hostile_input.py",
    "data_quality/test_checks.py",  # from rows to findings, of all checks
    "output/test_one_way_out.py",  # what no module may do
    "pricing/test_bills.py",  # what the providers' pages say
    "pricing/test_modalities.py",  # every image, speech and audio model of the base data
    "pricing/test_oracle.py",
    "pricing/test_readme.py",
    "pricing/test_responses_priced.py",  # what adapters count, the book prices
    "pricing/test_wrapped_priced.py",  # the same through LangChain and LiteLLM
    "producers/test_merged_streams.py",  # streams that a generator merges, by whatever tells them apart
    "producers/test_provider_streams.py",  # the streams of the providers' SDKs, whoever wraps them
    "producers/test_several_responses.py",  # of one block or stream, whoever carries them
    "producers/test_whole_responses.py",  # that streams and lists hold, in every form
    "runtime/browsers/test_servers.py",  # the rule in front of both kinds of servers
    "store/test_money_sql.py",  # what no file in sql/ may do
    "test_docs.py",
    "test_docs_guard.py",  # every example of a guard waits for it
    "test_docs_lists.py",
    "test_groups.py",
    "test_hostile_config.py",
    "test_hostile_events.py",
    "test_hostile_feeds.py",
    "test_hostile_settings.py",
    "test_lock.py",  # uv.lock
    "test_named_after_modules.py",
    "test_plain_passwords.py",
    "test_prometheus_rules.py",
    "traffic/replay/test_hostile_rows.py",
}


def folder_of(test: Path) -> Path:
    """The folder whose modules the tests of a folder are named after."""
    first, *rest = test.relative_to(UNIT).parent.parts or ("",)
    return ROOT.joinpath(OUTSIDE_OF_THE_APPLICATION.get(first, f"stream_jobs/{first}"), *rest)


def names_a_module(test: Path) -> bool:
    """Of `test_a_b_c.py`: a module or package called a_b_c, a_b or a."""
    words = test.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:end]) for end in range(len(words), 0, -1)]
    folder = folder_of(test)
    return any((folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file() for name in names)


def test_each_test_names_a_module_or_is_listed() -> None:
    """Whoever changes a module finds its tests by name."""
    tests = {path.relative_to(UNIT).as_posix(): path for path in UNIT.rglob("test_*.py")}
    assert tests
    assert sorted(name for name, path in tests.items() if not names_a_module(path) and name not in ACROSS_MODULES) == []


def test_what_is_listed_is_there_and_names_no_module() -> None:
    """The list holds nothing that the rule would find by itself."""
    assert sorted(name for name in ACROSS_MODULES if not (UNIT / name).is_file() or names_a_module(UNIT / name)) == []
