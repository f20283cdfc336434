"""The spendstream application: the stream jobs, the store, the embedded mode and their commands."""
