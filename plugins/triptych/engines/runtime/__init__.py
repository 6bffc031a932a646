"""What runs an engine: its resources, its loading, the allocator."""
