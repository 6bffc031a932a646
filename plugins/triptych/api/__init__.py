"""The Jobs API: what clients of job services speak, over jobs that are DAG runs and nothing else.

`mount.JobsApi` is what the plugin gives Airflow's API server; all else is imported at the first request. Nothing here
decides who may do what: each request goes on, as its own user, to Airflow's own API, in the same process (`inside`).
What Airflow has no place for (drafts, API keys) lies in the workspace, below `_api/`.
"""
