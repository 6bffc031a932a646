"""Triptych on Airflow: the factory of DAGs, the form, the operators."""
