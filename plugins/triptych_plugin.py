"""What Airflow's web server, scheduler and workers get from Triptych."""

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

from triptych.airflow import pools


class TriptychPlugin(AirflowPlugin):
    """Lists Triptych under Admin > Plugins; the scheduler hears from it of runs that no pool can hold.

    `.airflowignore` beside it keeps the package itself from being executed.
    """

    name = "triptych"
    listeners: ClassVar = [pools]
