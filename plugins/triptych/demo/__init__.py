"""`make demo`: an Airflow of its own and one job on it."""
