"""Jobs on several workers, through what happens to workers."""
