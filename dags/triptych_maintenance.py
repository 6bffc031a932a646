"""The DAG that removes what is beyond its age, where an operator wants it. (Airflow looks for `airflow` and `dag`.)

It has a file of its own: DAG files of several bundles may make the DAGs of jobs, and one Airflow has one maintenance.
"""

from triptych.airflow.maintenance import build_maintenance

globals().update(build_maintenance())
