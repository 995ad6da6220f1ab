"""Tests of the audit of changes."""
