"""Corrections of what is booked, as entries: re-pricing and re-attribution of the ledger's history."""
