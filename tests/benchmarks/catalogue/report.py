"""The comparison as Markdown: counts by provider and cause, and every difference in the models that are used most."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tests.benchmarks.catalogue.compare import Found, groups
from tests.benchmarks.catalogue.explanations import Explanation, Explanations, Popular
from tests.benchmarks.catalogue.theirs import NOT_COMPARED, Row

UNEXPLAINED: Final = "not looked into"
_VERDICTS: Final = ("agree", "disagree", "only theirs", "only ours")
_SMALL: Final = 12
"""Providers with fewer figures are summed up in one line."""


@dataclass(frozen=True)
class Comparison:
    """All that was found, ready to be told."""

    version: str  # of the second catalogue
    price_book: str
    rows: Sequence[Row]
    found: Sequence[Found]
    only_ours: Sequence[tuple[str, str]]  # (provider, model) that no entry of theirs is about
    explanations: Explanations
    popular: Popular

    @property
    def disagreements(self) -> list[Found]:
        return groups(self.found, "disagree")

    def unexplained(self) -> list[Found]:
        """Disagreements about the models that are used most, without an explanation."""
        return [one for one in self.disagreements if self.popular.lists(one) and self.explanations.of(one) is None]

    def unused(self) -> list[Explanation]:
        return self.explanations.unused(self.disagreements)


def document(comparison: Comparison) -> str:
    """The report in Markdown."""
    return "\n".join(
        line
        for part in (_head, _providers, _causes, _singly, _unpriced, _not_compared, _only_ours)
        for line in part(comparison)
    )


def _head(it: Comparison) -> Iterator[str]:
    counts = Counter(one.verdict for one in it.found)
    popular = Counter(one.verdict for one in it.found if it.popular.lists(one))
    both = counts["agree"] + counts["disagree"]
    yield "# Our prices and litellm's"
    yield ""
    yield f"Written by `make bench-prices`: litellm {it.version}, price book `{it.price_book}`. One synthetic event per"
    yield "figure of theirs (meter, tier, context length, place), priced by the price book; within 1 % is agreement."
    yield ""
    yield from _table(
        ("figures", "all", "of the 200 models"),
        [(name, str(counts[name]), str(popular[name])) for name in _VERDICTS],
    )
    yield f"Of {both} figures that both have, {_percent(counts['agree'], both)} agree."
    yield ""


def _providers(it: Comparison) -> Iterator[str]:
    by_provider: dict[str, Counter[str]] = {}
    for one in it.found:
        by_provider.setdefault(one.row.provider, Counter())[one.verdict] += 1
    known = {p: c for p, c in by_provider.items() if c["agree"] + c["disagree"] + c["only ours"] >= _SMALL}
    rest = sum((c for p, c in by_provider.items() if p not in known), Counter())
    yield "## By provider"
    yield ""
    lines = sorted(known.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    lines.append((f"{len(by_provider) - len(known)} others", rest))
    yield from _table(("provider", *_VERDICTS), [(name, *(str(c[v]) for v in _VERDICTS)) for name, c in lines])


def _causes(it: Comparison) -> Iterator[str]:
    causes: Counter[tuple[str, str]] = Counter()
    for one in it.disagreements:
        explanation = it.explanations.of(one)
        causes[(explanation.cause, explanation.right) if explanation else (UNEXPLAINED, "open")] += 1
    yield "## Disagreements by cause"
    yield ""
    yield from _table(
        ("cause", "right", "figures"), [(cause, right, str(n)) for (cause, right), n in causes.most_common()]
    )


def _singly(it: Comparison) -> Iterator[str]:
    yield "## Disagreements about the 200 models, singly"
    yield ""
    yield "Ours divided by theirs; the models are in [popular.yaml](popular.yaml), the explanations in"
    yield "[explanations.yaml](explanations.yaml)."
    yield ""
    lines: dict[tuple[str, str, str, str], list[str]] = {}
    for one in it.disagreements:
        if it.popular.lists(one):
            explanation = it.explanations.of(one)
            told = explanation or None
            key = (
                f"{one.row.provider}: `{one.row.name}`",
                told.cause if told else UNEXPLAINED,
                told.right if told else "open",
                f"{told.reason} {told.source} ({told.checked})".strip() if told else "",
            )
            lines.setdefault(key, []).append(f"{one.probe.name} {_ratio(one.ratio)}")
    yield from _table(
        ("their entry", "figures", "cause", "right", "explanation"),
        [(name, "; ".join(figures), cause, right, why) for (name, cause, right, why), figures in lines.items()],
    )


def _unpriced(it: Comparison) -> Iterator[str]:
    yield "## What they price and we don't"
    yield ""
    counts: Counter[tuple[str, str]] = Counter()
    names: dict[tuple[str, str], dict[str, None]] = {}
    for one in groups(it.found, "only theirs"):
        if it.popular.lists(one):
            key = (one.row.provider, f"{one.reason.partition(':')[0]}: {one.probe.kind}, {one.probe.tier}")
            counts[key] += 1
            names.setdefault(key, {})[one.row.model] = None
    yield "Of the 200 models, by the book's reason, the meter and the tier:"
    yield ""
    yield from _table(
        ("provider", "reason", "figures", "entries"),
        [(p, what, str(n), _some(names[(p, what)])) for (p, what), n in counts.most_common()],
    )
    others = Counter(
        one.reason.partition(":")[0] for one in groups(it.found, "only theirs") if not it.popular.lists(one)
    )
    yield "Of all others, by reason:"
    yield ""
    yield from _table(("reason", "figures"), [(reason, str(n)) for reason, n in others.most_common()])


def _not_compared(it: Comparison) -> Iterator[str]:
    counts = Counter(row.not_compared for row in it.rows if row.not_compared)
    yield "## Entries that are not compared"
    yield ""
    yield from _table(("why", "entries"), [(NOT_COMPARED[why], str(n)) for why, n in counts.most_common()])


def _only_ours(it: Comparison) -> Iterator[str]:
    counts = Counter(provider for provider, _ in it.only_ours)
    yield "## Models that only our book knows, by provider"
    yield ""
    yield ", ".join(f"{provider} {n}" for provider, n in counts.most_common())
    yield ""


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for line in lines:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
    yield ""


def _ratio(ratio: Decimal | None) -> str:
    return "(theirs 0)" if ratio is None else f"x{float(ratio):.3g}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    shown = ", ".join(f"`{name}`" for name in listed[:6])
    return shown if len(listed) <= 6 else f"{shown} and {len(listed) - 6} more"
