"""DAGs of published templates: `bundle` brings them in its refresh, `dags` is what its DAG file calls."""
