"""What those see of jobs who look from outside: a line of a list, what is new since the last look, the job again."""
