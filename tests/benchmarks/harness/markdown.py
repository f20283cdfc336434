"""The result of a run as a Markdown document, with the machine named."""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.benchmarks.harness.results import HEADINGS, cells


def document(found: dict[str, Any]) -> str:
    """Of what the runner writes as JSON."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: dict[str, Any]) -> Iterator[str]:
    machine = found["machine"]
    yield f"# Benchmarks of {found['at']}"
    yield ""
    yield (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB; {machine['kernel']}; "
        f"{machine['python']}; commit {machine['commit']}; load before the start {machine['load_average'][0]}."
    )
    yield ""
    yield ", ".join(f"{name} {version}" for name, version in machine["versions"].items()) + "."
    if found["options"]:
        yield ""
        yield f"Options: `{' '.join(found['options'])}`."
    for benchmark in found["benchmarks"]:
        yield ""
        yield f"## {benchmark['name']}: {benchmark['verdict']} ({benchmark['seconds']:g} s)"
        yield ""
        result = benchmark["result"]
        if not result:
            yield from ("```", *benchmark["output"], "```")
            continue
        yield from _table(HEADINGS, [cells(figure) for figure in result["figures"]])
        if runs := _processes(result["details"]):
            yield ""
            yield from _table(("run", "process", "cores", "CPU us per event", "most memory"), runs)
        for name, (expected, _) in result["checks"].items():
            yield ""
            yield f"Checked: {name}: {expected}."


def _processes(details: dict[str, Any]) -> list[tuple[str, ...]]:
    """CPU and memory of every process of every run that tells of them."""
    rows: list[tuple[str, ...]] = []
    for number, run in enumerate(details.get("runs", [details]), 1):
        label = f"{number} {run.get('candidate', '')}".strip()
        for name, spent in run.get("processes", {}).items():
            memory = f"{spent['rss_max_mib']:.0f} MiB" if spent["rss_max_mib"] else ""
            per_event = spent.get("cpu_us_per_event")
            costs = "" if per_event is None or name == "others" else f"{per_event:.1f}"
            rows.append((label, name, f"{spent['cores']:.2f}", costs, memory))
    return rows


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield "|---" * len(headings) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
