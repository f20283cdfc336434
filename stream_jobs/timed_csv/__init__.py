"""CSV files of values over time, read as arrays: what commands judge and forecast offline."""
