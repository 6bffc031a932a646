"""Documents: where their headings are, and Word, PDF and Excel files taken apart.

An engine's author asks `formats` which format a name has and what finds its headings (`HEADINGS`), decodes with
`text.decoded`, opens with `pdf.open_pdf` and `word.WordDocument`, and tells where a chunk lies by a subclass of
`places.DocumentPart`. `excel` makes CSV of a workbook's sheets, for `contained`, the tables in a workbook or a zip.
Memory: texts are read as streams, Markdown a window or a block at a time (`markdown.BLOCK_SHARE`); a Word file's XML
is held as a tree, and pypdf keeps every object that it has read.
"""
