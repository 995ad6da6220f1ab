"""The users service: accounts, and e-mails to their owners."""
