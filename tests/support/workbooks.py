"""Excel workbooks written by hand, from ECMA-376 alone: what a reader makes of them is known by construction."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><fonts><font/></fonts><fills><fill><patternFill/></fill></fills>'
    "<borders><border/></borders>"
    '<cellStyleXfs><xf/></cellStyleXfs><cellXfs><xf/><xf numFmtId="14"/><xf numFmtId="22"/><xf numFmtId="46"/>'
    "</cellXfs></styleSheet>"
)
"""Style 1 is a date, 2 a date with a time, 3 a duration (`[h]:mm:ss`)."""


def text(value: str) -> str:
    """A cell with its own text."""
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'


def number(value: str, style: int = 0) -> str:
    """A cell with a number, as it stands in the file."""
    return f'<c s="{style}"><v>{value}</v></c>'


def write_workbook(
    path: Path, sheets: Mapping[str, Sequence[Sequence[str]] | str], *, shared: Sequence[str] = (), hidden: str = ""
) -> Path:
    """Sheets as rows of cells, or as the XML of their rows; `shared` texts are those of cells of type s."""
    states = {hidden: ' state="hidden"'}
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{index}" r:id="r{index}"{states.get(name, "")}/>'
        for index, name in enumerate(sheets, 1)
    )
    relations = "".join(
        f'<Relationship Id="r{index}" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet{index}.xml"/>'
        for index in range(1, len(sheets) + 1)
    )
    types = "".join(
        f'<Override PartName="/xl/{part}.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        f'spreadsheetml.{type_}+xml"/>'
        for part, type_ in (
            ("workbook", "sheet.main"),
            ("styles", "styles"),
            ("sharedStrings", "sharedStrings"),
            *((f"worksheets/sheet{index}", "worksheet") for index in range(1, len(sheets) + 1)),
        )
    )
    texts = "".join(f"<si><t>{escape(each)}</t></si>" for each in shared)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType='
        f'"application/vnd.openxmlformats-package.relationships+xml"/>{types}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{_RELATIONS}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{relations}'
        f'<Relationship Id="s" Type="{_RELATIONS}/styles" Target="styles.xml"/>'
        f'<Relationship Id="t" Type="{_RELATIONS}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{texts}</sst>',
    }
    for index, rows in enumerate(sheets.values(), 1):
        body = rows if isinstance(rows, str) else "".join(f"<row>{''.join(row)}</row>" for row in rows)
        parts[f"xl/worksheets/sheet{index}.xml"] = (
            f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>'
        )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return path
