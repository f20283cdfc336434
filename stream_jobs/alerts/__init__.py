"""Alerts: one lifecycle for everything that is found, and notifications that arrive."""
