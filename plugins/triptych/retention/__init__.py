"""What is beyond its age, and its removal: `planning` says it (a dry run), `removal` does it.

What is there, how old it is and whose it is comes from listings and records, never from memory: whoever looks, and
whenever, finds the same. A run that runs, and an output that has no age, are never removed; where nobody can tell, it
stays, and the plan says so. Nothing is imported here: most who come look only whether a run runs.
"""
