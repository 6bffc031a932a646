"""What of an Airflow's configuration keeps jobs from ending well: for `triptych doctor` and the scheduler's log."""
