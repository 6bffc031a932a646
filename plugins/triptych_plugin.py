"""What Airflow's web server, scheduler and workers get from Triptych."""

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

from triptych.airflow import pools
from triptych.api.mount import JobsApi
from triptych.api.prefix import PREFIX


class TriptychPlugin(AirflowPlugin):
    """Lists Triptych under Admin > Plugins; the scheduler hears from it of runs that no pool can hold.

    The API server has the Jobs API from it.

    `.airflowignore` beside it keeps the package itself from being executed.
    """

    name = "triptych"
    listeners: ClassVar = [pools]
    fastapi_apps: ClassVar = [{"app": JobsApi(), "url_prefix": PREFIX, "name": "Triptych Jobs API"}]
