"""What Airflow's web server, scheduler and workers get from Triptych, in whichever way they find it.

The installed package has an entry point (`airflow.plugins`) that leads here, so that nothing has to lie in an Airflow's
folder of plugins; in a checkout that is not installed `plugins/triptych_plugin.py` does.
"""

from __future__ import annotations

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

from triptych.airflow import pools
from triptych.airflow.checkup import at_start
from triptych.airflow.preloading import at_start as preload
from triptych.api.mount import JobsApi
from triptych.api.prefix import CONSOLE, PREFIX

_PAGE = f"{PREFIX.lstrip('/')}{CONSOLE}/"
"""Without a slash before it: Airflow's pages have a base, which a proxy may have given a prefix."""
_ICONS = {"icon": f"{_PAGE}icon.svg", "icon_dark_mode": f"{_PAGE}icon-dark.svg"}


class TriptychPlugin(AirflowPlugin):
    """Lists Triptych under Admin > Plugins; the scheduler hears from it of runs that no pool can hold.

    All components hear of what in the configuration keeps jobs from ending well, and a scheduler loads what it forks.
    The API server has the Jobs API and the console from it.
    """

    name = "triptych"
    listeners: ClassVar = [pools, at_start, preload]
    fastapi_apps: ClassVar = [{"app": JobsApi(), "url_prefix": PREFIX, "name": "Triptych Jobs API"}]
    external_views: ClassVar = [
        {"name": "Jobs", "href": _PAGE, "url_route": "triptych", "destination": "nav", **_ICONS},
        {
            "name": "Chunks and files",
            "href": f"{_PAGE}#/jobs/{{DAG_ID}}~{{RUN_ID}}",
            "url_route": "triptych-job",
            "destination": "dag_run",
            **_ICONS,
        },
    ]
