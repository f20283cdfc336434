"""Faust: reading topics, and the words of records and blocks."""
