"""Jobs on this machine, with no Airflow: `runner` runs whole ones, `preview` shows what a partitioner would cut.

`testing` has the tests of apps.
"""
