"""The errors the SDK raises on purpose. None of them leaves `emit`: they are for the moment of configuring."""

from collections.abc import Sequence


class ProducerConfigError(ValueError):
    """Settings that cannot be used. Carries all problems, so that one start shows them all."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(("the spendstream producer cannot be configured:", *self.problems)))


class SpoolFullError(Exception):
    """The spool has reached its bound. Internal: the event stays in memory or is refused."""
