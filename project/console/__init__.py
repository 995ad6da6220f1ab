"""What people who run the system use: one command that starts everything, demo data, a demo."""
