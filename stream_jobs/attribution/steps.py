"""Rules compiled into functions on one event's values.

Values are a dict from selector (`source`, `team`, `label.app`, ...) to text; what is missing is absent or ''.
Patterns are compiled by RE2, whose matching time is linear in the length of the value: no pattern and no hostile value
can stall a worker.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import re2

from spendstream_schemas import ATTRIBUTION_FIELDS
from stream_jobs.attribution.document import FACTS, LABEL_PREFIX, Dated, Match, Rule

Values = dict[str, str]
Test = Callable[[str, Values], bool]
"""(value, captured groups to add to) -> does it match?"""
Action = Callable[[Values, Mapping[str, str]], list[tuple[str, str]]]
"""(values, captured groups) -> the fields to set and what to."""

MAX_VALUE_CHARS: Final = 128
_REFERENCE: Final = re.compile(r"\$\{([^}]*)\}")
_PATTERN_MEMORY_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Step:
    """One rule, ready to run. `reads` are the selectors that its outcome depends on."""

    name: str
    valid_from: datetime | None
    valid_to: datetime | None
    tests: tuple[tuple[str, Test], ...]
    act: Action
    reads: frozenset[str]
    targets: tuple[str, ...]

    def valid_at(self, instant: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= instant) and (
            self.valid_to is None or instant < self.valid_to
        )

    def run(self, values: Values) -> list[tuple[str, str]] | None:
        """The fields to set, or None when a condition does not hold."""
        groups: Values = {}
        for selector, test in self.tests:
            if not test(values.get(selector, ""), groups):
                return None
        return self.act(values, groups)


def compile_conditions(rule: Dated, problems: list[str]) -> tuple[tuple[tuple[str, Test], ...], frozenset[str]]:
    """The tests of a rule, and the names of the groups that its patterns capture."""
    tests, groups = [], set[str]()
    for selector, match in rule.when.items():
        compiled = _compile_match(match, rule.ignore_case, f"when {selector}", problems)
        if compiled is not None:
            tests.append((selector, compiled[0]))
            groups |= compiled[1]
    return tuple(tests), frozenset(groups)


def compile_rule(rule: Rule, tables: Mapping[str, Mapping[str, str]], problems: list[str]) -> Step:
    """The rule as a step. What is wrong with it is added to `problems`; the step is then not to be used."""
    tests, groups = compile_conditions(rule, problems)
    reads = set(rule.when)
    action: Action
    if rule.rename:
        action = _rename(rule.rename, rule.ignore_case)
        reads |= set(rule.rename)
        targets = tuple(rule.rename)
    elif rule.lookup:
        for target, lookup in rule.lookup.items():
            if lookup.table not in tables:
                problems.append(f"lookup {target}: there is no table {lookup.table!r}")
            reads |= {target, lookup.by}
        action = _lookup({target: (tables.get(item.table, {}), item.by) for target, item in rule.lookup.items()})
        targets = tuple(rule.lookup)
    else:
        templates = rule.fill or rule.set or {}
        for target, template in templates.items():
            # A target is read even where it is overwritten: whether that changes anything depends on what it was.
            reads |= _references(template, target, groups, problems) | {target}
        action = _assign(templates, only_missing=bool(rule.fill))
        targets = tuple(templates)
    return Step(rule.name, rule.valid_from, rule.valid_to, tests, action, frozenset(reads), targets)


def _compile_match(
    match: Match, ignore_case: bool, where: str, problems: list[str]
) -> tuple[Test, frozenset[str]] | None:
    if match.missing is not None:
        wanted = match.missing
        return (lambda value, _: (not value) is wanted), frozenset()
    if match.any_of is not None:
        if ignore_case:
            folded = frozenset(value.casefold() for value in match.any_of)
            return (lambda value, _: value.casefold() in folded), frozenset()
        exact = frozenset(match.any_of)
        return (lambda value, _: value in exact), frozenset()
    globs = (match.glob,) if isinstance(match.glob, str) else match.glob or ()
    pattern = match.regex if match.regex is not None else "|".join(map(glob_to_regex, globs))
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY_BYTES
    options.case_sensitive = not ignore_case
    options.dot_nl = True
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else error
        problems.append(f"{where}: {(match.regex or match.glob)!r} is not a pattern that RE2 understands: {reason}")
        return None
    names = frozenset(compiled.groupindex)

    def test(value: str, groups: Values) -> bool:
        # A pattern says something about a value; where there is none it does not match (use `missing: true`).
        found = compiled.fullmatch(value) if value else None
        if found is None:
            return False
        if names:
            groups.update((name, text or "") for name, text in found.groupdict().items())
        return True

    return test, names


def glob_to_regex(glob: str) -> str:
    """The RE2 pattern of a shell pattern: `*`, `?`, `[abc]`, `[!abc]`; a lone `[` stands for itself."""
    out, at = [], 0
    while at < len(glob):
        char = glob[at]
        at += 1
        if char == "*":
            out.append(".*")
        elif char == "?":
            out.append(".")
        elif char == "[" and (end := glob.find("]", at + 1 + glob.startswith("!", at))) > 0:
            body = glob[at:end]
            negated = body.startswith("!")
            members = re.sub(r"([\\\[\]^&~|])", r"\\\1", body[negated:])
            out.append(f"[{'^' if negated else ''}{members}]")
            at = end + 1
        else:
            out.append(re.escape(char))
    return "".join(out)


def _references(template: str, target: str, groups: frozenset[str], problems: list[str]) -> set[str]:
    """The selectors a template reads; a reference that can never have a value is a problem."""
    reads = set()
    for name in _REFERENCE.findall(template):
        if name in groups:
            continue
        if name in FACTS or name in ATTRIBUTION_FIELDS or (name.startswith(LABEL_PREFIX) and name != LABEL_PREFIX):
            reads.add(name)
        else:
            problems.append(f"{target}: ${{{name}}} is no named group of a regex in `when`, no field and no label.NAME")
    return reads


def _render(template: str, values: Values, groups: Mapping[str, str]) -> str:
    """The text with its references replaced; '' when one has no value, or when the result would be too long."""
    missing = False

    def value_of(reference: re.Match[str]) -> str:
        nonlocal missing
        value = groups.get(reference[1]) or values.get(reference[1], "")
        missing = missing or not value
        return value

    text = _REFERENCE.sub(value_of, template)
    return "" if missing or len(text) > MAX_VALUE_CHARS else text


def _assign(templates: Mapping[str, str], *, only_missing: bool) -> Action:
    plain = not any("${" in template for template in templates.values())

    def act(values: Values, groups: Mapping[str, str]) -> list[tuple[str, str]]:
        changes = []
        for target, template in templates.items():
            if only_missing and values.get(target):
                continue
            text = template if plain else _render(template, values, groups)
            if text and text != values.get(target):
                changes.append((target, text))
        return changes

    return act


def _rename(maps: Mapping[str, Mapping[str, str]], ignore_case: bool) -> Action:
    folded: dict[str, dict[str, Any]] = {
        target: {(old.casefold() if ignore_case else old): new for old, new in names.items()}
        for target, names in maps.items()
    }

    def act(values: Values, _groups: Mapping[str, str]) -> list[tuple[str, str]]:
        changes = []
        for target, names in folded.items():
            old = values.get(target, "")
            new = names.get(old.casefold() if ignore_case else old)
            if new is not None and new != old:
                changes.append((target, new))
        return changes

    return act


def _lookup(tables: Mapping[str, tuple[Mapping[str, str], str]]) -> Action:
    def act(values: Values, _groups: Mapping[str, str]) -> list[tuple[str, str]]:
        changes = []
        for target, (table, by) in tables.items():
            if not values.get(target) and (found := table.get(values.get(by, ""))):
                changes.append((target, found))
        return changes

    return act
