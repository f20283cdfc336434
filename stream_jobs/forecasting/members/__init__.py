"""Slow members of forecasts: fits of Prophet and statsmodels. Arrays in, arrays out."""
