"""Building blocks: reading, validating and resolving manifests, schemas and templates."""

from triptych.blocks.catalog import BUILT_IN, read_catalog
from triptych.blocks.digest import code_digest
from triptych.blocks.model import Block, Catalog, Diagnostic, Isolation, Platform, Role, Template

__all__ = [
    "BUILT_IN",
    "Block",
    "Catalog",
    "Diagnostic",
    "Isolation",
    "Platform",
    "Role",
    "Template",
    "code_digest",
    "read_catalog",
]
