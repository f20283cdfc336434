"""Finds what is unusual in series of usage, minute by minute: plain functions and arrays."""
