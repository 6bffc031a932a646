"""The image of an app that brings a Dockerfile, built where it is not here yet, as its user would build it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from triptych.blocks import Block
from triptych.errors import ImageError

DOCKERFILE = "Dockerfile"
_SHOWN_LINES = 15


def ensure_image(app: Block, tell: Callable[[str], None]) -> None:
    """Nothing where the image is here, or the app has no Dockerfile; `tell` hears that it is built.

    ImageError with the end of the build's output. It needs the command `docker`, and most often a network.
    """
    if app.image is None or not (app.folder / DOCKERFILE).is_file() or _is_here(app.image):
        return
    tell(f"Building {app.image} from {app.folder / DOCKERFILE} ...")
    done = _docker("build", "--tag", app.image, str(app.folder))
    if done.returncode:
        words = "\n".join(done.stdout.rstrip().splitlines()[-_SHOWN_LINES:])
        msg = f"{app.folder / DOCKERFILE}: the image {app.image} cannot be built:\n{words}"
        raise ImageError(msg)


def _is_here(image: str) -> bool:
    return _docker("image", "inspect", image).returncode == 0


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        msg = "There is no command `docker` here, which builds images: install Docker, or use --runner process."
        raise ImageError(msg) from None
