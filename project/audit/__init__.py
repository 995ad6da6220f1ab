"""Who changed which price, account or right, and when. What people do to the event bus is in the bus's own audit."""
