"""The errors the SDK raises on purpose. None of them leaves `emit`: they are for the moment of configuring, and for
streams whose reader asked for them."""

from collections.abc import Sequence


class SettingsError(ValueError):
    """Settings that cannot be used. Carries all problems, so that one start shows them all."""

    what = "spendstream"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join((f"{self.what} cannot be configured:", *self.problems)))


class ProducerConfigError(SettingsError):
    """Of the producer."""

    what = "the spendstream producer"


class GuardConfigError(SettingsError):
    """Of the guard."""

    what = "the spendstream guard"


class CostLimitReachedError(Exception):
    """A stream was stopped at a limit, where its reader asked to be told so. `reason` is a sentence for people."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class SpoolFullError(Exception):
    """The spool has reached its bound. Internal: the event stays in memory or is refused."""
