"""How a Docker engine is reached: by its socket, by TCP with TLS, or by SSH.

`connected` gives a client of the configured engine; `command_options` tell docker's own command the same. What a
connection of Airflow's holds lies in files of mode 0600 while either is used.
"""

from __future__ import annotations

from triptych.running.transport.client import answering, command_options, connected, is_in_the_clear

__all__ = ["answering", "command_options", "connected", "is_in_the_clear"]
