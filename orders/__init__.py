"""Orders, their lines, their history, and orders' own copy of what is for sale."""
