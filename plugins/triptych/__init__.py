"""Triptych: partition, run and assemble batch jobs on Apache Airflow."""

__version__ = "0.1.0"
