"""Where the Jobs API is found, in Airflow's API server and in a request."""

PREFIX = "/triptych/v1"
AIRFLOW_KEY = "triptych.airflow"
"""Of a request's scope: Airflow's own app, below which ours is mounted."""
