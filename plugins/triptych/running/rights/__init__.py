"""What a container may do and what it leaves: its user, folders that outlive it, advice where a right lacked."""
