"""How much one account may use at most. project/settings.py imports these settings."""

from project.environment import env

# How many open orders one account may have: those that are placed, confirmed or backordered, but not yet paid, shipped
# or ended. A welcome order is always placed, but counts.
MAX_OPEN_ORDERS: int = env.positive_int("MAX_OPEN_ORDERS", default=100)
# How many units the open orders of one account may have together. An order with more can never be placed.
MAX_HELD_UNITS: int = env.positive_int("MAX_HELD_UNITS", default=1000)
# How many POST, PUT, PATCH and DELETE requests one account may send to the API a minute, staff too. Forms of the admin
# do not count.
UNSAFE_CALLS_PER_MINUTE: int = env.positive_int("UNSAFE_CALLS_PER_MINUTE", default=120)
