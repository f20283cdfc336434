"""Judges a file of usage as the stream would have judged it: read, replayed in the order of time, answered."""
