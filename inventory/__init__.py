"""The inventory service: products, stock at locations, reservations for orders, and the ledger."""
