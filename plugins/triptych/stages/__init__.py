"""The three stages of a job."""
