"""What to simulate."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from spendstream_schemas.types import EARLIEST_OCCURRED_AT
from spendstream_traffic.simulate.catalog import CUSTOMERS
from spendstream_traffic.simulate.incidents import Incident
from stream_jobs.base.errors import ConfigError

MAX_DURATION: Final = timedelta(days=3660)
MAX_RATE: Final = 1_000_000.0


@dataclass(frozen=True)
class SimulationConfig:
    """Equal configurations give equal events, to the last byte.

    `rate` is the mean number of events per second over the run, without incidents. Traffic outside of the incidents
    does not depend on them. Raises ConfigError with every problem.
    """

    start: datetime
    duration: timedelta
    rate: float = 20.0
    seed: int = 1
    incidents: tuple[Incident, ...] = ()
    customers: int = 12
    users_per_customer: int = 250
    growth_per_30_days: float = 0.08
    missing_tag_share: float = 0.02  # of the events: one of the mandatory tags is not there
    run_id: str = ""  # another run of the same traffic with ids of its own

    def __post_init__(self) -> None:
        checks = (
            (self.start.tzinfo is not None, "start needs a UTC offset"),
            (
                timedelta(0) < self.duration <= MAX_DURATION,
                f"duration must be above 0 and at most {MAX_DURATION.days} d",
            ),
            (0 < self.rate <= MAX_RATE, f"rate must be above 0 and at most {MAX_RATE:g} events/s"),
            (0 <= self.seed < 2**63, "seed must be from 0 to 2**63 - 1"),
            (1 <= self.customers <= len(CUSTOMERS), f"customers must be from 1 to {len(CUSTOMERS)}"),
            (1 <= self.users_per_customer <= 1_000_000, "users_per_customer must be from 1 to 1000000"),
            (-0.9 <= self.growth_per_30_days <= 10, "growth_per_30_days must be from -0.9 to 10"),
            (0 <= self.missing_tag_share <= 1, "missing_tag_share must be from 0 to 1"),
        )
        problems = [problem for fine, problem in checks if not fine]
        if not problems:
            try:
                if self.start < EARLIEST_OCCURRED_AT:
                    problems.append(f"start must not be before {EARLIEST_OCCURRED_AT:%Y-%m-%d}")
                end = self.end
                problems += [problem for incident in self.incidents for problem in self._problems_of(incident, end)]
            except OverflowError:
                problems.append("start + duration is out of range")
        if problems:
            raise ConfigError(problems)
        object.__setattr__(self, "start", self.start.astimezone(UTC))

    def _problems_of(self, incident: Incident, end: datetime) -> list[str]:
        problems = []
        if not self.start <= incident.start < incident.end <= end:
            problems.append(f"incident {incident.kind} is not within the run")
        customer, user = incident.scope.get("customer"), incident.scope.get("user_id")
        if customer is not None and customer not in CUSTOMERS[: self.customers]:
            problems.append(f"incident {incident.kind}: {customer} is not among the {self.customers} customers")
        if user is not None and int(user.rpartition("-u")[2]) >= self.users_per_customer:
            problems.append(f"incident {incident.kind}: {user} is not among the users of its customer")
        return problems

    @property
    def end(self) -> datetime:
        return self.start + self.duration

    @property
    def digest(self) -> str:
        """Part of every event's id: another configuration never gives the same ids."""
        facts = [
            self.start.isoformat(),
            self.duration // timedelta(microseconds=1),
            self.rate,
            self.seed,
            [incident.label() for incident in self.incidents],
            self.customers,
            self.users_per_customer,
            self.growth_per_30_days,
            self.missing_tag_share,
            self.run_id,
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
