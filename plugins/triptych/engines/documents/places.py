"""What `sections` and `text_size` tell `documents` of a chunk."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.engines.contracts import Place


@dataclass(frozen=True, kw_only=True)
class DocumentPart(Place):
    """What a document's part says of itself, however it was cut.

    `heading_path` are the titles above and of it, the outermost first. `ends` is the border that it ends at:
    "paragraph", "sentence", "line", "word", "any" or "text", the end of the text; None where it is not known.
    """

    heading_path: tuple[str, ...] = ()
    ends: str | None = None

    @property
    def ends_inside_line(self) -> bool:
        """Whether nothing may come between this part and the next."""
        return self.ends in ("sentence", "word", "any")


@dataclass(frozen=True, kw_only=True)
class SectionPlace(DocumentPart):
    """A section: `heading` is its own title, "" without one, of `level`, from 1; 0 is what comes before the first.

    Of a text, it begins at `first_byte`; of a PDF, it has `pages` pages from `first_page`, which count from 1.
    """

    level: int
    heading: str
    first_byte: int | None = None
    first_page: int | None = None
    pages: int | None = None


@dataclass(frozen=True, kw_only=True)
class TextPlace(DocumentPart):
    """A run of text: `characters` (Unicode code points) from `first_character`, from byte `first_byte` of the source.

    The first `overlap_characters` of them are repeated from the part before.
    """

    first_byte: int
    first_character: int
    characters: int
    overlap_characters: int
