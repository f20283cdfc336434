"""Real traffic, from logs and published traces, sent through the pipeline again."""
