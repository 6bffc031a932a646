"""Names a restriction of ours where a script's last words say that it met it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from triptych.blocks.networks import NONE
from triptych.running.spec import RunSpec

_READ_ONLY = ("Read-only file system", "EROFS")
_NO_NETWORK = (
    "Temporary failure in name resolution",
    "Name or service not known",
    "Could not resolve host",
    "[Errno -3]",  # Python's, where musl says only "Try again".
    "bad address '",  # Busybox's.
    "Network is unreachable",
    "Network unreachable",
    "ENETUNREACH",
    "EAI_AGAIN",
    "ENOTFOUND",
)
_DENIED = ("Permission denied", "PermissionError", "EACCES", "Operation not permitted", "EPERM")


def restriction(spec: RunSpec, user: Callable[[], str], last_lines: Iterable[str]) -> str:
    """A sentence for the error, with a space before it; empty where none of our restrictions is in the lines.

    `user` says who ran, as `uid:gid`, or nothing; it is asked where that matters.
    """
    text = "\n".join(last_lines)
    if any(word in text for word in _READ_ONLY):
        if spec.block.writable_root:
            return " Its code in app/ is read-only: write to HOME or /tmp."
        return (
            " The image's files are read-only, and so is its code in app/: write to HOME or /tmp, or, where the image "
            'itself must write to its own folders, say "writable_root": true in its manifest.'
        )
    if spec.network == NONE and any(word in text for word in _NO_NETWORK):
        return (
            ' It has no network: say "network": "bridge" in platform_config of its manifest, which on Airflow an '
            "operator allows by the setting allowed_networks, or bring the data by the source or the image."
        )
    if any(word in text for word in _DENIED) and (who := user()):
        return (
            f" It runs as user {who}, without any right of root's: what it reads must be readable to all in the "
            "image, and it writes to HOME, /tmp and its results. An operator can let an image be root by the setting "
            "root_images."
        )
    return ""
