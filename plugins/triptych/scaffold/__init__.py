"""New blocks, from templates."""
