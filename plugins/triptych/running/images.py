"""A block's image on a Docker engine: there, pulled when it is missing, and known by its digest."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from docker import APIClient
from docker.errors import APIError, DockerException, ImageNotFound
from docker.utils import parse_repository_tag

from triptych.blocks import Block
from triptych.connections import registry_login
from triptych.errors import ContainerError, ImageError

_log = logging.getLogger(__name__)


@contextmanager
def connected(url: str) -> Iterator[APIClient]:
    """A client of the engine at this URL, closed with the context; ContainerError when none answers there."""
    try:
        client = APIClient(base_url=url, version="auto", timeout=120)
    except DockerException as error:
        msg = (
            f"No Docker engine answers at {url}. Start it, set [triptych] docker_url, or try the job without "
            "containers: `triptych run --runner process`."
        )
        raise ContainerError(msg) from error
    try:
        yield client
    finally:
        client.close()


def present_image(client: APIClient, block: Block) -> str:
    """The digest of the block's image, the registry's, else the engine's own id; ImageError when it cannot be had.

    The image is pulled when it is missing, or when the manifest asks for that each time.
    """
    try:
        image = client.inspect_image(block.image)
        if block.force_pull:
            _pull(client, block)
            image = client.inspect_image(block.image)
    except ImageNotFound:
        _pull(client, block)
        image = client.inspect_image(block.image)
    return _digest(image)


def known_image(client: APIClient, block: Block) -> str:
    """The image's digest as `present_image` gives it, without a pull: the engine's own, else the registry's word.

    ImageError when neither knows it.
    """
    if not block.force_pull:
        with suppress(ImageNotFound):
            return _digest(client.inspect_image(block.image))
    assert block.image is not None  # The reader of manifests wants one where the platform is docker.
    try:
        told = client.inspect_distribution(block.image, auth_config=registry_login(block))
    except APIError as error:
        raise ImageError(_missing(block, error.explanation or str(error))) from error
    repository, _ = parse_repository_tag(block.image)
    return f"{repository}@{told['Descriptor']['digest']}"


def _digest(image: Mapping[str, Any]) -> str:
    return str((image.get("RepoDigests") or [image["Id"]])[0])


def _pull(client: APIClient, block: Block) -> None:
    assert block.image is not None  # The reader of manifests wants one where the platform is docker.
    _log.info("Pulling image %s ...", block.image)
    try:
        for status in client.pull(block.image, stream=True, decode=True, auth_config=registry_login(block)):
            if "error" in status:
                raise ImageError(_missing(block, status["error"]))
    except APIError as error:
        raise ImageError(_missing(block, error.explanation or str(error))) from error


def _missing(block: Block, reason: str) -> str:
    return (
        f"{block.folder / 'manifest.json'}: the image {block.image!r} of {block.tag} is not on this engine and cannot "
        f"be pulled: {reason}. Correct platform_config.container, build the image, or name a docker_conn_id."
    )
