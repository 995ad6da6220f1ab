"""The orders service: orders, their history, and its own copy of the products for sale."""
