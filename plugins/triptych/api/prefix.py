"""Where the Jobs API is found, in Airflow's API server and in a request."""

PREFIX = "/triptych/v1"
AIRFLOW_KEY = "triptych.airflow"
"""Of a request's scope: Airflow's own app, below which ours is mounted."""

CONSOLE = "/console"
"""Where the console's own page is, below `PREFIX`."""
CONSOLE_HEADER = "X-Triptych-Console"
"""Of the requests of our own page: no page of another site can send it, since no answer of ours lets it."""
