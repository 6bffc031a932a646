"""What the scheduler loads once, so that none of the tasks that are forked from it does: `at_start` is the listener."""
