"""What analysts, finance and FinOps ask: figures, each defined once."""
