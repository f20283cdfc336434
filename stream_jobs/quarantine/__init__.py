"""What could not be accepted: looking at it, and sending it again once the cause is fixed."""
