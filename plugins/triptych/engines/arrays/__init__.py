"""Vector code that knows no table: bit masks, hashes."""
