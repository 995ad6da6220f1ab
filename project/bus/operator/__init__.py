"""What people who run the system ask of the bus: look, mend, replay, prune. Each change is audited where it is made."""
