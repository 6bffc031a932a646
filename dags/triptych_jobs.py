"""The DAGs of jobs: one per template, made by the factory. (Airflow looks for the words `airflow` and `dag`.)"""

from triptych.airflow.factory import build_dags

globals().update(build_dags(__file__))
