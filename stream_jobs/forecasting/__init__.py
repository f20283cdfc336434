"""What series will be: arrays in, forecasts with bands out. Plain functions."""
