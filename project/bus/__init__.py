"""The event bus: carries events, knows none of them. docs/bus.md tells how it works and why each step is there."""
