"""What a worker does when a bell rings."""
