"""A coffee shop to look at, a demo that judges the whole system, and a simulation that loads it."""
