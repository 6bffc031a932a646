"""A job's data: its spec, its workspace, its packs."""
