"""The actions of `spendstream budgets` that need a running pipeline."""

import argparse
import json
import sys
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.garbage import no_collecting
from stream_jobs.base.json_values import json_text
from stream_jobs.base.readable import clock, instant
from stream_jobs.cli.budgets_forecast import FORECAST_COLUMNS, forecast_cells, print_forecasts
from stream_jobs.cli.budgets_steps import Steps, print_steps, read_steps, step_json
from stream_jobs.cli.exit_codes import FOUND
from stream_jobs.output.lines import complain, say, say_json

if TYPE_CHECKING:
    from stream_jobs.budget_terms.credits import CreditRow
    from stream_jobs.budgets.forecast_status import Forecasts
    from stream_jobs.budgets.status import BudgetStanding, DefinedBudget, First, PastPeriod
    from stream_jobs.forecasts.course import Course
    from stream_jobs.store.client import StoreClient

SEND_AGAIN_S = 3.0  # the embedded broker may be replaced by an empty one under us
SHOWN_VALUES = 10
SHOWN_CREDITS = 20


def _store(args: argparse.Namespace) -> "StoreClient":
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.store.client import StoreClient

    return StoreClient(find_clickhouse(args.url, args.data_dir))


def run_list(args: argparse.Namespace) -> int:
    """One line per budget, children below their parents; of a budget per value, the one that has used most."""
    from stream_jobs.budgets.forecast_status import forecasts
    from stream_jobs.budgets.status import defined_budgets, firsts

    with _store(args) as store:
        budgets, found, foretold = defined_budgets(store), firsts(store), forecasts(store)
    if args.json:
        for budget in budgets:
            first = found.get(budget.budget_id)
            line = _budget_json(budget) | {"values": first.values if first else 0}
            say_json(line | {"standing": _standing_json(first.standing, foretold) if first else None})
        return 0
    if not budgets:
        say("there are no budgets; see stream_jobs/budget_terms/example_budgets.yaml and 'spendstream budgets set'")
        return 0
    _print_list(budgets, found, foretold)
    return 0


def _print_list(budgets: "list[DefinedBudget]", found: "dict[str, First]", foretold: "Forecasts") -> None:
    from rich.text import Text

    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    table = Table()
    table.add_column("budget", no_wrap=True)
    for column in ("period", "of"):
        table.add_column(column)
    for column in ("used", "amount", "share", "at this rate"):
        table.add_column(column, justify="right")
    table.add_column("used up (UTC)")
    columns = FORECAST_COLUMNS if foretold else ()
    for column in columns:
        table.add_column(column)
    for budget, depth in _tree(budgets):
        first = found.get(budget.budget_id)
        of = _of(first.standing.vals, first.values) if first else ""
        table.add_row(
            Text(f"{'  ' * depth}{budget.budget_id}" + (" (set)" if budget.origin == "control" else "")),
            budget.period,
            Text(of or ("each " + ", ".join(budget.document["per"]) if budget.document.get("per") else "")),
            *_figures(budget, first.standing if first else None),
            *(forecast_cells(first.standing, foretold) if first else ("",) * len(columns))[: len(columns)],
        )
    Console(highlight=False).print(table)


def _of(values: tuple[str, ...], number: int) -> str:
    return ", ".join(values) + (f" and {number - 1:,} more" if number > 1 else "")


def _figures(budget: "DefinedBudget", standing: "BudgetStanding | None") -> tuple[Any, ...]:
    from rich.text import Text

    from stream_jobs.base.readable import reached

    if standing is None:
        return "", budget.amount_text, "", "", ""
    unit = standing.stated
    over = standing.used >= standing.amount if standing.amount > 0 else standing.used > 0
    crossed = standing.thresholds or standing.threshold_amounts
    share = Text(reached(standing.used, standing.amount), "bold red" if over else "yellow" if crossed else "")
    until = instant(standing.exhausted_at) if standing.exhausted_at else "already" if over else ""
    forecast = "" if standing.forecast is None else unit.text(standing.forecast)
    return *unit.bare(standing.used, standing.amount), share, forecast, until


def _tree(budgets: "list[DefinedBudget]") -> "list[tuple[DefinedBudget, int]]":
    """Each with its depth below the topmost; children follow their parent."""
    ids = {budget.budget_id for budget in budgets}
    found: list[tuple[DefinedBudget, int]] = []

    def visit(parent: str, depth: int) -> None:
        for budget in budgets:
            if (budget.parent if budget.parent in ids else "") == parent:
                found.append((budget, depth))
                visit(budget.budget_id, depth + 1)

    visit("", 0)
    return found


def _budget_json(budget: "DefinedBudget") -> dict[str, Any]:
    return {
        "id": budget.budget_id,
        "origin": budget.origin,
        "changed_by": budget.changed_by,
        "at": budget.at,
        "note": budget.note,
        "budget": budget.document,
    }


def _standing_json(standing: "BudgetStanding", foretold: "Forecasts") -> dict[str, Any]:
    from stream_jobs.budgets.forecast_status import forecast_of

    found = forecast_of(foretold, standing)
    told = dict(zip(standing._fields[1:], standing[1:], strict=True))  # without its budget_id
    return told | {"outlook": None if found is None else found._asdict()}


def run_show(args: argparse.Namespace) -> int:
    """Everything about one budget. Exit code 1 when there is none of that id."""
    with no_collecting() if args.json else nullcontext():
        return _show(args)


def _show(args: argparse.Namespace) -> int:
    from stream_jobs.budget_terms.credits import as_row, read_credits
    from stream_jobs.budgets.forecast_status import forecasts
    from stream_jobs.budgets.status import crossings, firsts, past_periods, standings, told_standings
    from stream_jobs.cli.budgets_forecast import course_of_standing, plot_course

    with _store(args) as store:
        budget = _defined(store, args.budget)
        told: list[dict[str, Any]] = []
        if args.json:
            told, first_told = told_standings(store, args.budget)
            found = [first_told] if first_told is not None else []
        else:
            found = standings(store, args.budget, SHOWN_VALUES)
        number = len(found)
        if number == SHOWN_VALUES and (first := firsts(store, args.budget).get(args.budget)) is not None:
            number = first.values
        now = store.now()
        crossed = crossings(store, now - timedelta(days=800), now + timedelta(days=1), args.budget, limit=20)
        past = [] if args.json else past_periods(store, args.budget)
        credited, foretold = read_credits(store, args.budget), forecasts(store, args.budget)
        why = _causes(store, budget, found[0], now) if found else ()
        is_drawn = bool(args.plot) or not args.json
        course = course_of_standing(store, budget, found[0], foretold) if found and is_drawn else None
        steps = read_steps(store, budget)
    if args.plot:
        plot_course(course, args.plot)
    if args.json:
        for one in told:
            one["services"] = step_json(steps, one)
            outlook = foretold.get((args.budget, one["period_key"], tuple(one["vals"])))
            one["outlook"] = None if outlook is None else outlook._asdict()
        answer = _budget_json(budget) | {"standings": told}
        say_json({**answer, "crossings": crossed, "credits": [as_row(row) for row in credited], "causes": why})
        return 0
    _print_budget(budget, found, number, crossed, past, why, foretold, steps, course)
    _print_credits(budget, credited[-SHOWN_CREDITS:][::-1])
    if args.plot:
        say(f"written to {args.plot}")
    return 0


def _print_credits(budget: "DefinedBudget", rows: "list[CreditRow]") -> None:
    """Newest first."""
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    table = Table("at (UTC)", "of", "period", "credited", "by", "why", title="Credits")
    for row in rows:
        amount = ("+" if row.amount > 0 else "") + budget.unit.said(row.amount)
        table.add_row(clock(row.at), ", ".join(row.vals) or "all", row.period_key, amount, row.changed_by, row.note)
    if rows:
        Console(highlight=False).print(table)


def _causes(store: "StoreClient", budget: "DefinedBudget", top: "BudgetStanding", now: datetime) -> tuple[str, ...]:
    """Who spends, of these values; nothing when ClickHouse does not say in time."""
    from stream_jobs.base.errors import RetryError
    from stream_jobs.base.money import pico_from_usd
    from stream_jobs.budget_terms.document import RollingPeriod
    from stream_jobs.budget_terms.fields import window_length
    from stream_jobs.budget_terms.resolve import budget_from_json
    from stream_jobs.budgets.causes import causes
    from stream_jobs.budgets.standing import Standing
    from stream_jobs.series.calendar import Period

    parsed = budget_from_json(json_text(budget.document))
    rolling = isinstance(parsed.period, RollingPeriod)
    start = now - window_length(parsed.period.rolling) if isinstance(parsed.period, RollingPeriod) else top.period_start
    numbers = (pico_from_usd(top.amount), pico_from_usd(top.spent), top.unpriced_events, pico_from_usd(top.held))
    period = Period(start, max(now, start) if rolling else top.period_end)
    standing = Standing(period, rolling, *numbers, unit=top.stated)
    try:
        return causes(store, parsed, top.vals, standing, now)
    except RetryError:
        return ()


def _print_budget(
    budget: "DefinedBudget",
    found: "list[BudgetStanding]",
    number: int,
    crossed: list[dict[str, Any]],
    past: "list[PastPeriod]",
    why: Any,
    foretold: "Forecasts",
    steps: Steps | None,
    course: "Course | None",
) -> None:
    """`found`: the first of so many; `course`: of that."""
    from stream_jobs.base.readable import events, reached
    from stream_jobs.forecasts.course_text import print_course
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Facts, Table

    console = Console(highlight=False)
    by = "the file" if budget.origin == "file" else f"{budget.changed_by} at {instant(budget.at)} UTC"
    console.print(f"{budget.name} ({budget.budget_id}), set by {by}")
    said = {name: value for name, value in budget.document.items() if name not in ("id", "name")}
    console.print(Facts((name, _plain(value)) for name, value in said.items() if value not in ({}, [])))
    table = Table("of", "period", title="Where it stands")
    for column in ("spent", "held", "amount", "share", "burn per hour", "at this rate"):
        table.add_column(column, justify="right")
    table.add_column("used up (UTC)")
    for item in found:
        _, amount, share, forecast, until = _figures(budget, item)
        unit = item.stated
        burn = "" if item.burn_per_hour is None else unit.text(item.burn_per_hour)
        held = f"{unit.text(item.held)} ({events(item.unpriced_events)})"
        held = held if item.unpriced_events and unit.is_money else ""
        values = ", ".join(item.vals) or "all"
        table.add_row(values, item.period_key, unit.text(item.spent), held, amount, share, burn, forecast, until)
    console.print(table if found else "nothing was spent yet")
    print_steps(console, found, steps)
    print_forecasts(console, found, foretold)
    if budget.is_endless:
        console.print("It has no end: 'spendstream forecast' tells what it will hold, and when it is gone", style="dim")
    if course is not None:
        print_course(console, course)
    if number > len(found):
        console.print(f"and {number - len(found):,} more; all with --json", style="dim")
    if why:
        console.print("Who spends" + (f" ({', '.join(found[0].vals)})" if found[0].vals else "") + ":")
        for sentence in why:
            console.print(f"  {sentence}")
    if crossed:
        table = Table("at (UTC)", "of", "period", "threshold", "direction", title="Crossed")
        for row in _distinct(crossed):
            what = f"{_threshold(row)} {'forecast' if row['kind'] == 'forecast' else ''}".strip()
            direction = "crossed" if row["direction"] == "up" else "below again"
            late = " (by late or corrected entries)" if row["late"] else ""
            values = ", ".join(row["vals"]) or "all"
            table.add_row(clock(row["at"]), values, row["period_key"], what, direction + late)
        console.print(table)
    if len(past) > 1:
        table = Table("period", "of", "used", "amount", "share", title="Latest periods")
        for one in past:
            of = _of(one.vals, one.values) or "all"
            table.add_row(one.period_key, of, *one.unit.bare(one.used, one.amount), reached(one.used, one.amount))
        console.print(table)


def _distinct(crossed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where nothing may be spent, the first cent crosses all percents at once: one line says it."""
    seen: set[Any] = set()
    found = []
    for row in crossed:
        key = (row["at"], tuple(row["vals"]), row["period_key"], row["kind"], row["direction"])
        nothing = row["amount"] <= 0 and not row["threshold_amount"]
        if not nothing or key not in seen:
            found.append(row)
        if nothing:
            seen.add(key)
    return found


def _threshold(row: dict[str, Any]) -> str:
    """'80 %', '500.00 EUR'; of an amount of nothing there are no percents."""
    from stream_jobs.budgets.status import stated_unit

    unit = stated_unit(row["unit"], row["currency"], row["rate"])
    return unit.threshold(row["threshold"], row["threshold_amount"], of=row["amount"])


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)


def _defined(store: "StoreClient", budget_id: str) -> "DefinedBudget":
    from stream_jobs.budgets.status import defined_budgets

    budgets = {budget.budget_id: budget for budget in defined_budgets(store)}
    if budget_id not in budgets:
        raise ConfigError(f"there is no budget {budget_id!r}; there are {', '.join(budgets) or 'none'}")
    return budgets[budget_id]


def run_set(args: argparse.Namespace) -> int:
    """Exit code 0 when it counts, 1 when it is refused; raises ConfigError when it cannot be asked for."""
    from stream_jobs.base.documents import checked
    from stream_jobs.base.files import is_file
    from stream_jobs.base.yaml_files import MAX_BYTES, parse_yaml_bytes, read_yaml
    from stream_jobs.budget_terms.document import PERIOD_TAGS, Budget
    from stream_jobs.budget_terms.resolve import budget_from_json, budget_to_json

    with _store(args) as store:
        if args.amount is not None:
            defined = _defined(store, args.what)
            changed: dict[str, Any] = {"amount": args.amount}
            if args.values:
                first = _values(defined, args.values)[0]  # of more than one the budget says what is wrong
                changed = {"amounts": {**defined.document.get("amounts", {}), first: args.amount}}
            budget = budget_from_json(json_text(defined.document | changed))
        elif args.values:
            raise ConfigError("--values says whose --amount it is: give both")
        elif args.what == "-":
            source = parse_yaml_bytes(sys.stdin.buffer.read(MAX_BYTES + 1), "standard input")
            budget = checked(source, Budget, label="id", hidden=PERIOD_TAGS)
        else:
            path = Path(args.what)
            if not is_file(path):
                raise ConfigError(
                    f"{args.what} is no file; give a file with one budget, or an id with what is to change: "
                    f"spendstream budgets set {args.what} --amount 500"
                )
            source = read_yaml(path)
            budget = checked(source, Budget, label="id", hidden=PERIOD_TAGS)
        return _send(store, args, budget.id, budget=json.loads(budget_to_json(budget)))


def run_credit(args: argparse.Namespace) -> int:
    """Exit code 0 when it counts, 1 when it is refused; raises ConfigError when it cannot be asked for."""
    from pydantic import ValidationError

    from stream_jobs.budget_terms.credits import Credit

    with _store(args) as store:
        values = _values(_defined(store, args.budget), args.values)
        try:
            credit = Credit(amount=args.amount, values=values, period=args.period)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise ConfigError(f"--{first['loc'][0]}: {first['msg']}") from None
        return _send(store, args, args.budget, credit=credit)


def _values(budget: "DefinedBudget", given: list[str]) -> tuple[str, ...]:
    """In the order of the budget's `per`. Raises ConfigError for other fields than those."""
    per = budget.document.get("per", [])
    found = dict(one.partition("=")[::2] for one in given)
    if sorted(found) != sorted(per) or len(found) < len(given):
        wanted = "--values " + " ".join(f"{name}=..." for name in per) if per else "no --values"
        raise ConfigError(f"budget {budget.budget_id} needs {wanted}")
    empty = next((name for name in per if not found[name]), None)
    if empty is not None:
        raise ConfigError(f"what has no {empty} counts in none of budget {budget.budget_id}: name a value")
    return tuple(found[name] for name in per)


def run_remove(args: argparse.Namespace) -> int:
    """Exit code 0 when it no longer counts, 1 when that is refused."""
    with _store(args) as store:
        return _send(store, args, args.budget)


def run_reset(args: argparse.Namespace) -> int:
    """Exit code 0 when the file counts again, 1 when that is refused."""
    with _store(args) as store:
        return _send(store, args, args.budget, reset=True)


def _send(store: "StoreClient", args: argparse.Namespace, budget_id: str, **what: Any) -> int:
    """Send the change and wait until the budgets job has taken it up or refused it."""
    from pydantic import ValidationError

    from stream_jobs.base.who import user_at_host
    from stream_jobs.budget_terms.control import BudgetChange, change_to_json
    from stream_jobs.budgets.status import change_outcome
    from stream_jobs.embedded.instance import find_kafka
    from stream_jobs.runtime.asking import ask
    from stream_jobs.runtime.record_producer import RecordProducer
    from stream_jobs.runtime.topics import BUDGET_CONTROL

    try:
        change = BudgetChange(
            change_id=uuid4().hex, budget_id=budget_id, at=datetime.now(UTC), by=user_at_host(), note=args.note, **what
        )
    except ValidationError as error:
        raise ConfigError(f"{budget_id}: {error.errors(include_url=False)[0]['msg']}") from None
    producer = RecordProducer(find_kafka(args.bootstrap, args.data_dir))
    try:
        outcome = ask(
            producer,
            BUDGET_CONTROL,
            (budget_id.encode(), change_to_json(change)),
            lambda: change_outcome(store, change.change_id),
            send_every_s=SEND_AGAIN_S,
            give_up_s=args.timeout,
        )
    finally:
        producer.close()
    if outcome is None:
        raise ConfigError(
            f"the change was sent, but nobody has taken it up within {args.timeout:g} s: does the job 'budgets' run? "
            "It will be taken up when it does"
        )
    done = "the file counts again for" if what.get("reset") else "removed" if not what else "set"
    done = "credited" if "credit" in what else done
    if args.json:
        say_json({"change_id": change.change_id, "budget": budget_id, "refused": outcome or None})
    elif outcome:
        complain(f"spendstream budgets: the change of {budget_id} was refused: {outcome}")
    else:
        say(f"{done} {budget_id}")
    return FOUND if outcome else 0
