"""Histories with a season, a trend and noise."""

import numpy as np

from stream_jobs.forecasting.members.model import Floats

MONDAY = 738_886  # 2024-01-01
HOUR = (MONDAY - 719_163) * 24


def daily(days: int = 120, seed: int = 1, noise: float = 0.05) -> Floats:
    """Of 100 a day, half of it at weekends; beginning on a Monday."""
    at = np.arange(days)
    made = 100.0 * np.where(at % 7 >= 5, 0.5, 1.0) * np.exp(noise * np.random.default_rng(seed).normal(size=days))
    return np.asarray(made, dtype=np.float64)


def hourly(hours: int = 240, seed: int = 1) -> Floats:
    """Of 10 to 90 an hour."""
    at = np.arange(hours)
    made = 50.0 + 40.0 * np.sin(at * 2 * np.pi / 24) + 2.0 * np.random.default_rng(seed).normal(size=hours)
    return np.asarray(made, dtype=np.float64)
