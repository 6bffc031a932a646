"""Side inputs on this worker: read once into its cache, checked, and held there while a stage uses them.

`freeze_inputs` says what `partition` puts into the plan. `held_inputs` has them for a stage: `mounted` for scripts in
containers and processes, and as a mapping of `Source`s for `python` engines, which fetch what they ask for only.
`InputCache.evict` takes back what was not used for long, or is too much.
"""

from __future__ import annotations

from triptych.stages.side_inputs.cache import InputCache
from triptych.stages.side_inputs.held import HeldInputs, freeze_inputs, held_inputs

__all__ = ["HeldInputs", "InputCache", "freeze_inputs", "held_inputs"]
