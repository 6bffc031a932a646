"""A block's image on a Docker engine: there, pulled when it is missing, and known by its digest."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from docker.auth import INDEX_NAME, resolve_repository_name
from docker.errors import APIError, ImageNotFound
from docker.utils import parse_repository_tag

from triptych.blocks import Block
from triptych.connections import registry_login
from triptych.errors import MissingImageError
from triptych.harmless import harmless_logger

if TYPE_CHECKING:
    from docker import APIClient

_log = harmless_logger(__name__)


def own_volumes(client: APIClient, image: str) -> list[str]:
    """The folders that a present image declares as volumes: each container has new ones, which are never read-only."""
    return sorted(client.inspect_image(image)["Config"].get("Volumes") or ())


def present_image(client: APIClient, block: Block) -> str:
    """The digest of the block's image, the registry's, else the engine's own id; MissingImageError when there is none.

    The image is pulled when it is missing, or when the manifest asks for that each time.
    """
    try:
        image = client.inspect_image(block.image)
        if block.force_pull:
            _pull(client, block, str(block.image))
            image = client.inspect_image(block.image)
    except ImageNotFound:
        _pull(client, block, str(block.image))
        image = client.inspect_image(block.image)
    return _digest(image, block)


def known_image(client: APIClient, block: Block) -> str:
    """The image's digest as `present_image` gives it, without a pull: the engine's own, else the registry's word.

    MissingImageError when neither knows it.
    """
    if not block.force_pull:
        with suppress(ImageNotFound):
            return _digest(client.inspect_image(block.image), block)
    image = str(block.image)
    try:
        told = client.inspect_distribution(image, auth_config=registry_login(block))
    except APIError as error:
        raise MissingImageError(_missing(block, image, error.explanation or str(error))) from error
    repository, _ = parse_repository_tag(image)
    return f"{repository}@{told['Descriptor']['digest']}"


def frozen_image(client: APIClient, block: Block, digest: str) -> str:
    """`digest`, as `present_image` gave it, pulled when it is missing: what a container of the job is made from.

    The block's tag may name another image by now. MissingImageError when this engine cannot have that digest.
    """
    try:
        client.inspect_image(digest)
    except ImageNotFound:
        if "@" not in digest:
            msg = (
                f"{block.tag}: the job began with {digest}, which {block.image!r} was then. This engine has no such "
                "image, and no registry knows it: push the image to one, or load the same one on every worker."
            )
            raise MissingImageError(msg) from None
        _pull(client, block, digest)
    return digest


def _digest(image: Mapping[str, Any], block: Block) -> str:
    """The digest in the registry that the block names; where there are only others', the first; else the id."""
    known = [str(digest) for digest in image.get("RepoDigests") or ()]
    own = repository(str(block.image))
    return next((digest for digest in known if repository(digest) == own), known[0] if known else str(image["Id"]))


def repository(image: str) -> str:
    """`python:3.11` -> `docker.io/library/python`: as Docker reads names that do not begin with a registry."""
    name, _ = parse_repository_tag(image.partition("@")[0])
    registry, path = resolve_repository_name(name)
    return f"{registry}/{path if '/' in path or registry != INDEX_NAME else f'library/{path}'}"


def _pull(client: APIClient, block: Block, image: str) -> None:
    """Pull the block's image, by its name or by a digest."""
    _log.info("Pulling image %s ...", image)
    try:
        for status in client.pull(image, stream=True, decode=True, auth_config=registry_login(block)):
            if "error" in status:
                raise MissingImageError(_missing(block, image, status["error"]))
    except APIError as error:
        raise MissingImageError(_missing(block, image, error.explanation or str(error))) from error


def _missing(block: Block, image: str, reason: str) -> str:
    if image == block.image:
        return (
            f"{block.folder / 'manifest.json'}: the image {image!r} of {block.tag} is not on this engine and cannot "
            f"be pulled: {reason}. Correct platform_config.container, build the image, or name a docker_conn_id."
        )
    return (
        f"{block.tag}: the job began with {image}, which {block.image!r} was then. It is not on this engine and cannot "
        f"be pulled: {reason}. Put it back into the registry, or begin a new job with what {block.image!r} is now."
    )
