"""What is published: apps, engines and templates in a store, from which the DAG processor and workers have them.

`store` keeps them: contents by their SHA-256, which never change, and one small record per tag, which says what the tag
means and which content is active. `resolving` makes of all records an index: which contents each template's jobs run.
`units` has them on this machine. Nothing here is read while Airflow parses; what lies in a store is not trusted.
"""

from triptych.registry.records import Content, Key, Publication
from triptych.registry.store import Pushed, Registry, open_registry

__all__ = ["Content", "Key", "Publication", "Pushed", "Registry", "open_registry"]
