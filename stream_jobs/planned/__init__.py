"""events.yaml: what is planned or known beforehand, and how much it is expected to move."""
