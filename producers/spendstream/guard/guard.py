"""`Guard`: may this request still be made? Answered from local memory, in microseconds."""

import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

from spendstream.context import current_attribution
from spendstream.guard.arguments import (
    MAX_COUNT,
    attribution_of,
    check_callable,
    check_records,
    count_of,
    flag_of,
    seconds_of,
    text_of,
    words_of,
)
from spendstream.guard.book import Book
from spendstream.guard.choose import Choice, ModelOption, PriceSource, TaskNeeds, choose
from spendstream.guard.config import GuardConfig
from spendstream.guard.decision import ONE, Decision
from spendstream.guard.evaluate import Verdict, evaluate, nothing_known
from spendstream.guard.feed import Feed
from spendstream.guard.intake import GuardStats, Intake
from spendstream.guard.limit import limited
from spendstream.guard.money import UsdAmount, pico_of
from spendstream.guard.pending import Amounts, PendingBook, Reservation
from spendstream.guard.policy import ESSENTIAL_ONLY, FULL, REDUCED, REFUSE, Facts
from spendstream.guard.price_list import PriceList
from spendstream.guard.records import Record, TakenBack
from spendstream.lifetime import look_after
from spendstream.native import new_lock
from spendstream.stats import Counters
from spendstream_schemas import Attribution

_NS: Final = 1_000_000_000
_ATTEMPTS: Final = 3


class Guard:
    """Knows the budgets of `budget.state.v1` and answers for them. Thread-safe; one per process is enough.

        guard = Guard(GuardConfig.from_env())
        guard.wait_ready()  # before the topic was read nothing is known, and `fail` decides
        decision = guard.decide(estimate_usd="0.02", provider="openai", model="gpt-4o")

    `connect=False`: no thread and no broker; records come through `apply`, and it counts as loaded from the start.
    `wall_ns` and `monotonic_ns` are the clocks, in nanoseconds. Safe to make before a fork: the child reads anew when
    it first decides.
    """

    def __init__(
        self,
        config: GuardConfig,
        *,
        connect: bool = True,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if not isinstance(config, GuardConfig):
            raise TypeError(f"config must be a GuardConfig, see GuardConfig.from_env, not {type(config).__name__}")
        self._config = config
        self._connect = connect
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._stale_after_ns = int(config.stale_after_s * _NS)
        self._counters = Counters()
        self._pending = self._new_pending()
        self._book = Book(self._pending, self._stale_after_ns, config.source)
        self._intake = Intake(self._book, wall_ns, monotonic_ns)
        self._start_lock = new_lock()
        self._feed: Feed | None = None
        self._closed = False
        if connect:
            self._start()
        else:
            self._book.load_ended()
        _GUARDS.add(self)

    def _new_pending(self) -> PendingBook:
        return PendingBook(int(self._config.pending_margin_s * 1_000_000), int(self._config.pending_limit_s * _NS))

    def _start(self) -> None:
        with self._start_lock:
            if self._feed is None and not self._closed:
                self._feed = Feed(self._config, self._intake, self._counters)
                weakref.finalize(self, self._feed.end)  # its owner forgot to close it
                self._feed.start()

    # -- deciding

    def decide(
        self,
        attribution: Attribution | None = None,
        estimate_usd: UsdAmount | None = None,
        *,
        provider: str | None = None,
        model: str | None = None,
        category: str | None = "inference",
        source: str | None = None,
        region: str | None = None,
        essential: bool = False,
        estimate_tokens: int | None = None,
        estimate_gpu_hours: UsdAmount | None = None,
    ) -> Decision:
        """May a request of this attribution (default: `current_attribution()`) be made, and how?

        `estimate_usd`: what it may cost, as Decimal, int or str; counted here until the ledger can have it, if the
        request is allowed. Without one, the request is measured by what was spent before it. `estimate_tokens` (input
        and output) and `estimate_gpu_hours` are the same for quotas of these; of a quota of requests it is one.
        `provider`, `model`,
        `category`, `source` (default: the configuration's, as in events) and `region` are what budgets may be scoped
        to, as are the attribution's fields and labels; what is not given matches only budgets that do not ask for it.
        Raises TypeError for an argument of another kind (a dict as attribution, a float as money, a str as
        `essential`) and ValueError for an estimate that is no amount of money, and nothing else.
        """
        estimates = (
            0 if estimate_usd is None else pico_of(estimate_usd),
            0 if estimate_tokens is None else count_of(estimate_tokens, "estimate_tokens") * ONE,
            0,
            0 if estimate_gpu_hours is None else pico_of(estimate_gpu_hours, "estimate_gpu_hours", "hours"),
        )
        if essential is not True and essential is not False:
            flag_of(essential, "essential")
        if source is None and region is None:
            facts = self._facts(attribution, provider, model, category)
        else:
            facts = self._facts(attribution, provider, model, category, (source, region))
        return self._decide(facts, estimates, essential, reserve=True)

    def _facts(
        self,
        attribution: Attribution | None,
        provider: str | None,
        model: str | None,
        category: str | None,
        place: tuple[str | None, str | None] | None = None,  # source and region
    ) -> Facts:
        if attribution is None:
            attribution = current_attribution()
        elif type(attribution) is not Attribution:
            attribution = attribution_of(attribution)
        # Looked at by their types alone, for the most part: this is asked in every request.
        if provider is not None and type(provider) is not str:
            provider = text_of(provider, "provider")
        if model is not None and type(model) is not str:
            model = text_of(model, "model")
        if category is not None and type(category) is not str:
            category = text_of(category, "category")
        if place is None:
            return {**attribution.__dict__, "provider": provider, "model": model, "category": category}
        return {
            **attribution.__dict__,
            "provider": provider,
            "model": model,
            "category": category,
            "source": text_of(place[0], "source"),
            "region": text_of(place[1], "region"),
        }

    def _decide(self, facts: Facts, more: Amounts, essential: bool, *, reserve: bool) -> Decision:
        """`more`: what it adds to what is used. A request is one of its quota once it is made: as many as the quota has
        are made, and none more."""
        try:
            verdict, reservation = self._verdict(facts, more, essential, reserve)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not stop the service
            self._counters.error("guard_internal", repr(error))
            rank = REFUSE if self._config.fail == "closed" else FULL
            verdict, reservation = nothing_known(rank, f"the guard failed: {error!r}"), None
        return Decision(verdict, more, essential, reservation, self._settle if reserve else None)

    def _verdict(
        self, facts: Facts, more: Amounts, essential: bool, reserve: bool
    ) -> tuple[Verdict, Reservation | None]:
        if self._feed is None and self._connect:
            self._start()  # the first decision in a forked child
        book, pending = self._book, self._pending
        now_ns, now_us = self._monotonic_ns(), self._wall_ns() // 1000
        if now_ns >= pending.next_expiry_ns:
            pending.expire(now_ns)
        unknown = None
        if now_ns - book.beat_ns > self._stale_after_ns or not book.loaded:
            unknown = self._why_unknown(now_ns)
            if self._config.fail == "closed" and not (book.loaded and book.policies):
                return nothing_known(REFUSE, unknown), None
            if not book.policies:
                return nothing_known(FULL, unknown), None
        passes = ESSENTIAL_ONLY if essential else REDUCED
        usd, tokens, _, gpu_hours = more
        amounts = usd, tokens, ONE, gpu_hours
        wanted = 0  # bits of meters
        if reserve:
            wanted = (1 if usd else 0) | (2 if tokens else 0) | 4 | (8 if gpu_hours else 0)
        for _ in range(_ATTEMPTS):
            # First look, then take the lock to count it; if somebody else counted something meanwhile, look again.
            version = pending.version
            verdict = evaluate(book.index, facts, more, now_us, unknown)
            if not verdict.meters & wanted or verdict.rank > passes:
                return verdict, None
            reservation = pending.reserve(verdict.places, amounts, now_us + book.ahead_us, now_ns, version)
            if reservation is not None:
                return verdict, reservation
        with pending.lock:
            verdict = evaluate(book.index, facts, more, now_us, unknown)
            if verdict.rank > passes:
                return verdict, None
            return verdict, pending.reserve(verdict.places, amounts, now_us + book.ahead_us, now_ns, None)

    def _why_unknown(self, now_ns: int) -> str:
        if not self._book.loaded:
            return "the budgets have not been read yet"
        if not self._book.heard:
            return "nobody has said that budgets are kept"
        return f"nobody has said for {(now_ns - self._book.beat_ns) // _NS} s that budgets are kept up"

    def _settle(self, reservation: Reservation | None, verdict: Verdict, actual: Amounts) -> Reservation | None:
        pending = self._pending
        if reservation is not None:
            pending.take_back(reservation)
        if not any(actual):
            return None
        at = self._wall_ns() // 1000 + self._book.ahead_us
        return pending.reserve(verdict.places, actual, at, self._monotonic_ns(), None)

    # -- streams and models

    def limit_stream(
        self,
        stream: Any,
        *,
        max_cost_usd: UsdAmount | None = None,
        cost_of: Callable[[Any], UsdAmount] | None = None,
        usd_per_token: UsdAmount | None = None,
        tokens_of: Callable[[Any], int] | None = None,
        spent_usd: UsdAmount = 0,
        decision: Decision | None = None,
        attribution: Attribution | None = None,
        provider: str | None = None,
        model: str | None = None,
        category: str | None = "inference",
        source: str | None = None,
        region: str | None = None,
        raise_on_limit: bool = False,
    ) -> Any:
        """The same stream, stopped when it gets too dear: a LimitedStream, or LimitedAsyncStream for an async one.

        Each chunk costs `cost_of(chunk)`, or `tokens_of(chunk)` times `usd_per_token`; `spent_usd` is what the request
        costs before the first one (its input). The stream stops before the chunk with which the cost would be more than
        `max_cost_usd`, and when a budget of the request (as in `decide`) comes to refuse. Then the underlying stream is
        closed, and iteration ends, or raises CostLimitReachedError with `raise_on_limit`; `stopped_reason` says why.
        `decision`: the one this request was allowed by, so that its estimate is not counted twice.
        Raises TypeError and ValueError for arguments, at once, and while it is read for what `cost_of` and `tokens_of`
        say.
        """
        if decision is not None and not isinstance(decision, Decision):
            raise TypeError(f"decision must be what decide answered, not {type(decision).__name__}")
        flag_of(raise_on_limit, "raise_on_limit")
        facts = self._facts(attribution, provider, model, category, (source, region))

        def look(cost: int) -> Decision:
            own = 0 if decision is None else decision.reserved
            # It is one of the requests that are pending itself.
            return self._decide(facts, (max(0, cost - own), 0, -ONE, 0), True, reserve=False)

        return limited(
            stream, look, max_cost_usd, cost_of, usd_per_token, tokens_of, spent_usd, raise_on_limit=raise_on_limit
        )

    def cheapest_capable(
        self,
        options: Sequence[ModelOption] | None,
        needs: TaskNeeds,
        *,
        task: str | None = None,
        prices: PriceSource | None = None,
        attribution: Attribution | None = None,
        category: str | None = "inference",
        source: str | None = None,
        region: str | None = None,
        essential: bool = False,
    ) -> Choice:
        """The cheapest of `options` that can do what `needs` says and that the budgets allow, with its decision.

        Without `options` they are those that the price list `prices` names for the type of `task`, at the price book's
        prices (see `PriceList`); a type that it does not name has none, which `why` says. More in `choose`.
        The estimate of the choice is counted as in `decide`. Raises ValueError without options and without a list and
        a task, and TypeError and ValueError for what is no option, need or amount. What a price source says that is no
        price counts as not known (`stats().errors["price_source"]`).
        """
        _check_needs(needs)
        text_of(task, "task")
        flag_of(essential, "essential")
        if options is None:
            if task is None or not isinstance(prices, PriceList):
                raise ValueError("give options, or a task and a PriceList as prices")
            options = prices.options(task)
            if not options:
                known = ", ".join(prices.tasks) or "none"
                why = f"the price list names no models for the task {task!r}; it has {known}"
                return Choice(None, None, needs.output_tokens, None, why, ())
        _check_options(options)
        if prices is not None and not callable(getattr(prices, "price_at", None)):
            check_callable(getattr(prices, "price", prices), "prices.price")
        if attribution is None:
            attribution = current_attribution()
        self._facts(attribution, None, None, category, (source, region))  # said before anything is chosen

        def decide(option: ModelOption, estimate: int, tokens: int) -> Decision:
            facts = self._facts(attribution, option.provider, option.model, category, (source, region))
            return self._decide(facts, (estimate, tokens * ONE, 0, 0), essential, reserve=True)

        return choose(options, needs, prices, decide, self._counters)

    # -- being fed

    def apply(self, *records: Record | TakenBack) -> None:
        """Take records in as if they had come over the topic. For tests, and for services with a feed of their own.
        Raises TypeError when one of them is none, and then takes none."""
        check_records(records)
        self._intake.take(records)

    @property
    def ready(self) -> bool:
        """The topic was read, and somebody keeps the budgets up."""
        return self._book.loaded and self._monotonic_ns() - self._book.beat_ns <= self._stale_after_ns

    def wait_ready(self, timeout_s: float = 10.0) -> bool:
        """Wait for `ready`, which needs the topic and a heartbeat on it. False when it took longer.
        Raises TypeError and ValueError for what is no number of seconds."""
        self._intake.heard.wait(seconds_of(timeout_s, "timeout_s"))
        return self.ready

    def stats(self) -> GuardStats:
        feed = self._feed
        return GuardStats(
            policies=self._book.policies,
            states=self._book.states(),
            loaded=self._book.loaded,
            stale=not self.ready,
            connected=feed is not None and feed.connected,
            reads=0 if feed is None else feed.reads,
            errors=dict(self._counters.keyed()[2]),
        )

    def close(self) -> None:
        """Stop reading. Decisions go on from what is known, which grows stale. Safe to repeat."""
        with self._start_lock:
            self._closed = True
            feed = self._feed
        if feed is not None:
            feed.stop()
        _GUARDS.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _before_fork(self) -> None:
        pass

    def _settle_before_fork(self) -> None:
        if self._feed is not None:
            self._feed.settle()

    def _after_fork_in_parent(self) -> None:
        pass

    def _after_fork_in_child(self) -> None:
        """The feeding thread is the parent's, and so is what its requests have pending."""
        if self._feed is not None:
            self._feed.abandon()
        self._feed = None
        self._start_lock = new_lock()
        self._counters = Counters()
        self._pending = self._new_pending()
        self._book.after_fork(self._pending)
        self._intake = Intake(self._book, self._wall_ns, self._monotonic_ns)


def _check_needs(needs: TaskNeeds) -> None:
    """Raises TypeError and ValueError."""
    if not isinstance(needs, TaskNeeds):
        raise TypeError(f"needs must be TaskNeeds(input_tokens, output_tokens), not {type(needs).__name__}")
    count_of(needs.input_tokens, "needs.input_tokens")
    count_of(needs.output_tokens, "needs.output_tokens")
    words_of(needs.capabilities, "needs.capabilities")
    _check_quality(needs.min_quality, "needs.min_quality")


def _check_options(options: Sequence[ModelOption]) -> None:
    """Raises TypeError and ValueError, also for prices: they are amounts of money."""
    if isinstance(options, str | bytes) or not isinstance(options, Sequence):
        raise TypeError(f"options must be a list or tuple of ModelOption, not {type(options).__name__}")
    for number, option in enumerate(options):
        where = f"options[{number}]"
        if not isinstance(option, ModelOption):
            raise TypeError(f"{where} must be a ModelOption, not {type(option).__name__}")
        for name, value in (("provider", option.provider), ("model", option.model)):
            if text_of(value, f"{where}.{name}") is None:
                raise TypeError(f"{where}.{name} must be a str, not None")
        for name, tokens in (
            ("context_tokens", option.context_tokens),
            ("max_output_tokens", option.max_output_tokens),
        ):
            if tokens is not None:
                count_of(tokens, f"{where}.{name}")
        for name, price in (
            ("input_usd_per_million", option.input_usd_per_million),
            ("output_usd_per_million", option.output_usd_per_million),
        ):
            if price is not None:
                pico_of(price, f"{where}.{name}")
        words_of(option.capabilities, f"{where}.capabilities")
        _check_quality(option.quality, f"{where}.quality")


def _check_quality(value: object, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if abs(value) > MAX_COUNT:
        raise ValueError(f"{name} must be from -{MAX_COUNT} to {MAX_COUNT}")


_GUARDS: "Final[weakref.WeakSet[Guard]]" = weakref.WeakSet()
look_after(_GUARDS)
