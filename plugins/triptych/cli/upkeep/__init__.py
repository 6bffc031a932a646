"""What operators look after: what is beyond its age, and what keeps jobs from ending well."""
