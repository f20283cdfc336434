"""What a block adds to the ledger, summed by minute and scope, on its way to budgets and anomaly detection."""
