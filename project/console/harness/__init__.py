"""Starts, watches and stops processes: for `up`, the demo, tests, faults and benchmarks. Reads no Django settings."""
