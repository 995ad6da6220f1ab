"""The relay: finds handlers with due deliveries and rings their workers."""
