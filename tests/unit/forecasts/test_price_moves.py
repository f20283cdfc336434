"""What prices move."""

from stream_jobs.forecasts.price_moves import cost_of


def test_a_price_moves_costs_and_nothing_else() -> None:
    """Each by its own: a contract leaves list costs as they are."""
    assert [cost_of(measure) for measure in ("effective_cost", "list_cost", "contracted_cost")] == [
        "effective",
        "list",
        "contracted",
    ]
    assert cost_of("tokens") is cost_of("events") is cost_of("held_cost") is None
