"""Exchange rates: what budgets and figures in other currencies than USD are worth."""
