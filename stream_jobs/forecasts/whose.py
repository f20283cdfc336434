"""Whose usage a series is, as conditions: so that events and prices can be held against it. Plain."""

from collections.abc import Mapping, Sequence

from spendstream_schemas.scope import Condition
from stream_jobs.forecasts.model import REST, Key, Watched

Conditions = Mapping[str, Condition]


def watched_of(key: Key, watched: Sequence[Watched]) -> Watched:
    """What it was read with."""
    return next(one for one in watched if one.budget_id == key.budget_id and one.dims == key.dims)


def conditions_of(key: Key, scope: Conditions, keys: Sequence[Key]) -> Conditions | None:
    """The scope that it was read with, and its values. Of all others together those that are none of `keys`; None where
    they are told by several fields at once, of which no conditions tell them."""
    if not key.is_rest:
        values = {name: _one_of((value,)) for name, value in zip(key.dims, key.vals, strict=True)}
        return {**scope, **values}
    if len(key.dims) > 1:
        return None
    others = (one.vals[0] for one in keys if (one.budget_id, one.dims) == (key.budget_id, key.dims))
    listed = tuple(value for value in others if value != REST)
    return {**scope, key.dims[0]: Condition.model_construct(none_of=listed)} if listed else scope


def _one_of(values: tuple[str, ...]) -> Condition:
    """Values of the ledger, which may be longer than people may write them."""
    return Condition.model_construct(any_of=values)
