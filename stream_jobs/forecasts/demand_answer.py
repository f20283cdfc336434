"""GET /demand: what autoscalers read. Plain: a query and what is known in, an answer out."""

import http
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

from stream_jobs.forecasts.demand import (
    QUANTILES,
    Outlook,
    Quantile,
    UnclearDemandError,
    UnknownDemandError,
    deployment,
    peak,
    replicas,
    usable,
)
from stream_jobs.runtime.health import Answer

PATH: Final = "/demand"
PARAMETERS: Final = ("model", "provider", "region", "horizon", "quantile", "per_replica", "tokens_per_replica")
FARTHEST: Final = timedelta(hours=48)
LEAST: Final = 1e-6
"""Per second, that a replica serves; and MOST."""
MOST: Final = 1e12
MAX_CHARS: Final = 4_096
_LENGTH: Final = re.compile(r"([1-9][0-9]{0,5})([smh])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


def answered(query: str, outlook: Outlook | None, now: datetime) -> Answer:
    """200 with figures; 400 for a question that cannot be answered ever, 503 for one that cannot be answered now. The
    last two say why, as `error`, and have no figure that could be taken for one."""
    try:
        return _json(http.HTTPStatus.OK, _figures(_asked(query), outlook, now))
    except UnclearDemandError as error:
        return _json(http.HTTPStatus.BAD_REQUEST, {"error": str(error)})
    except UnknownDemandError as error:
        return _json(http.HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)})


def _figures(asked: dict[str, str], outlook: Outlook | None, now: datetime) -> dict[str, Any]:
    horizon, quantile = _horizon(asked.get("horizon", "1h")), _quantile(asked.get("quantile", "0.9"))
    per_replica, tokens_per_replica = (_rate(asked, name) for name in ("per_replica", "tokens_per_replica"))
    known = usable(outlook, now)
    which = deployment(known, asked["model"], asked.get("provider"), asked.get("region", ""))
    found = peak(known.hours[which], now, horizon, quantile)
    figures: dict[str, Any] = {
        **{"provider": which.provider, "model": which.model, "region": which.region},
        **{"horizon_s": int(horizon.total_seconds()), "quantile": float(quantile)},
        **{"as_of": known.as_of.isoformat(), "label": found.label},
        **{"requests_per_second": found.requests, "tokens_per_second": found.tokens},
    }
    if per_replica is not None or tokens_per_replica is not None:
        figures["replicas"] = replicas(found, per_replica, tokens_per_replica)
    return figures


def _asked(query: str) -> dict[str, str]:
    if len(query) > MAX_CHARS:
        raise UnclearDemandError(f"at most {MAX_CHARS} characters")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=len(PARAMETERS))
    except ValueError:
        raise UnclearDemandError(f"parameters are {', '.join(PARAMETERS)}, each once, in UTF-8") from None
    asked = dict(pairs)
    if len(asked) < len(pairs) or not asked.keys() <= set(PARAMETERS):
        raise UnclearDemandError(f"parameters are {', '.join(PARAMETERS)}, each once")
    if not asked.get("model"):
        raise UnclearDemandError("of which model? model=NAME, as the ledger has it")
    return asked


def _horizon(text: str) -> timedelta:
    match = _LENGTH.fullmatch(text)
    horizon = timedelta(seconds=int(match[1]) * _SECONDS[match[2]]) if match else FARTHEST * 2
    if horizon > FARTHEST:
        raise UnclearDemandError("horizon is like 30m or 1h, and 48h at most")
    return horizon


def _quantile(text: str) -> Quantile:
    for quantile in QUANTILES:
        if text == quantile:
            return quantile
    raise UnclearDemandError(f"quantile is one of {', '.join(QUANTILES)}")


def _rate(asked: dict[str, str], name: str) -> float | None:
    if name not in asked:
        return None
    try:
        rate = float(asked[name])
    except ValueError:
        rate = 0.0
    if not LEAST <= rate <= MOST:  # nor NaN
        raise UnclearDemandError(f"{name} is what one replica serves in a second: from {LEAST:g} to {MOST:g}")
    return rate


def _json(status: http.HTTPStatus, content: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(content, allow_nan=False).encode() + b"\n", "application/json")


def route(outlook: Callable[[], Outlook | None], now: Callable[[], datetime]) -> Callable[[str], Answer]:
    """For the server: with what is known when it is asked."""
    return lambda query: answered(query, outlook(), now())
