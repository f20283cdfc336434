"""Forecasts of what series and budgets will come to."""
