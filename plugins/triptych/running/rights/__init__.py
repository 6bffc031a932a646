"""What a container may do and what it leaves: its user, its secrets, folders that outlive it."""
