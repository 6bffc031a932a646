"""JSON as text."""
