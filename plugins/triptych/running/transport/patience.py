"""How many seconds an engine that says nothing is waited for: who asks it comes to an end, by TLS and by SSH, too."""

from __future__ import annotations

SILENT_S = 60
"""After so long a network that was cut counts as cut: who follows a container that says nothing would wait for ever."""
REACHED_S = 15
"""For the first connection: a network that was cut before it gives no other sign."""
ANSWER_S = 120
"""For an answer of an engine that may be busy."""
AGAIN_S = 10
"""For one that has not answered before: what is to be removed there is left to a later job."""
