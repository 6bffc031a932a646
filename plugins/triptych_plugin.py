"""What Airflow's web server, scheduler and workers get from Triptych."""

from airflow.plugins_manager import AirflowPlugin


class TriptychPlugin(AirflowPlugin):
    """Lists Triptych under Admin > Plugins; `.airflowignore` beside it keeps the package itself from being executed."""

    name = "triptych"
