"""What people who run the system use: `up`, `trace`, health checks, and events and deliveries over HTTP."""
