"""Jobs and previews on this machine, without Airflow."""
