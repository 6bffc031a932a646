"""For Airflow's folder of plugins: `.airflowignore` beside it keeps the package itself from being executed.

Where the package is installed, too, as by `make venv`, its entry point brings the plugin, and Airflow would say at each
start that a second one is skipped.
"""

from importlib.metadata import entry_points

if not entry_points(group="airflow.plugins", name="triptych"):
    from triptych.plugin import TriptychPlugin  # noqa: F401  # Airflow looks for it here.
