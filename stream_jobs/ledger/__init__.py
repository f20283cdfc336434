"""The entries of the ledger: read, compared, computed with."""
