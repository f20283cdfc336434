"""Traffic that is made up or replayed: for the checkout, not in the wheel. Only the commands import it."""
