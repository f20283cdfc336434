"""What budgets are: their file, what was set above it, and what may be spent by it. Below the jobs."""
