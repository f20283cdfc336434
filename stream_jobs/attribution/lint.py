"""What is allowed in attribution.yaml but probably not meant. Errors are found when the rules are compiled."""

from stream_jobs.attribution.document import AttributionDocument, CategoryRule, Rule, StackRule


def warnings(document: AttributionDocument) -> list[str]:
    """One sentence per finding, in the order of the file; empty when there is nothing to say."""
    return [
        *_unused_tables(document),
        *_dead_fills(document),
        *_rename_chains(document),
        *_dead_categories(document),
        *_dead_levels(document),
    ]


def _unused_tables(document: AttributionDocument) -> list[str]:
    used = {lookup.table for rule in document.rules for lookup in (rule.lookup or {}).values()}
    return [f"tables: {name!r} is not used by any rule" for name in document.tables if name not in used]


def _dead_fills(document: AttributionDocument) -> list[str]:
    found: list[str] = []
    filled: dict[str, str] = {}
    for index, rule in enumerate(document.rules):
        found += [
            f"rules[{index}] {rule.name!r}: {target} has a value by then: rule {filled[target]!r} always fills it"
            for target in (*(rule.fill or ()), *(rule.lookup or ()))
            if target in filled
        ]
        if _unconditional(rule):
            for target, text in (*(rule.fill or {}).items(), *(rule.set or {}).items()):
                if "${" not in text:
                    filled.setdefault(target, rule.name)
    return found


def _rename_chains(document: AttributionDocument) -> list[str]:
    return [
        f"rules[{index}] {rule.name!r}: {target}: {old!r} becomes {new!r}, which is itself renamed to {names[new]!r}, "
        "but a value is renamed once per rule"
        for index, rule in enumerate(document.rules)
        for target, names in (rule.rename or {}).items()
        for old, new in names.items()
        if names.get(new, new) != new
    ]


def _dead_categories(document: AttributionDocument) -> list[str]:
    for index, item in enumerate(document.categories):
        if _unconditional(item) and index + 1 < len(document.categories):
            return [f"categories[{index}] {item.name!r} matches everything: those after it are never asked"]
    return []


def _dead_levels(document: AttributionDocument) -> list[str]:
    found, ended = [], dict[str, str]()
    for index, item in enumerate(document.cost_stack):
        if item.category in ended:
            last = ended[item.category]
            found.append(f"cost_stack[{index}] {item.name!r} is never asked: {last!r} takes all of {item.category}")
        elif _unconditional(item):
            ended[item.category] = item.name
    return found


def _unconditional(rule: Rule | CategoryRule | StackRule) -> bool:
    return not rule.when and rule.valid_from is None and rule.valid_to is None
