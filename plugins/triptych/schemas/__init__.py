"""JSON Schemas, and what they refuse in sentences."""
