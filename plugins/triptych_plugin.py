"""For Airflow's folder of plugins: `.airflowignore` beside it keeps the package itself from being executed."""

from triptych.plugin import TriptychPlugin

__all__ = ["TriptychPlugin"]
