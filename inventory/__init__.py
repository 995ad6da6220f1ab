"""The inventory service: what is in stock where, for whom it is kept, and what moved it."""
