"""What forecasts are measured on: simulated spend, other forecasts, scores."""
