"""Budgets: what may be spent, what is spent, and who is told."""
