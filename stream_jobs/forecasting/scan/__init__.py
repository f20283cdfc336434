"""Forecasts a file of values, from any instants, as the job would have forecast what it holds."""
