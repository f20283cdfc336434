"""Up to which instant the past is known."""
