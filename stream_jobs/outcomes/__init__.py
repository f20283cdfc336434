"""The outcomes job: business value, booked beside the costs for unit economics."""
