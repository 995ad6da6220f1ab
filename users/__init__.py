"""Who may log in, and what they are told by e-mail."""
