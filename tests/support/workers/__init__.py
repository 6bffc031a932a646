"""Several Celery workers on no shared disk: each a machine of its own in namespaces, with an engine of its own."""
