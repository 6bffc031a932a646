"""The GPUs of this machine: which there are, by NVML, and which session has which of them meanwhile."""

from triptych.running.gpus.devices import GPU_VARIABLE, Devices, devices_of_engine, lacking_gpus
from triptych.running.gpus.holding import held_gpus

__all__ = ["GPU_VARIABLE", "Devices", "devices_of_engine", "held_gpus", "lacking_gpus"]
