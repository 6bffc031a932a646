"""Images through libvips: read from the top down, written as their rows are made, whatever their size.

An engine's author calls `limit_cache` once, opens with `opening.open_image` or `read_image`, gets rows from
`strips.strips`, writes with `row_writer.save_rows`, and tells where a tile lies by `tiles.TilePlace`.
Memory: a strip of rows as high as the tallest span; `strips.empty` puts an array beyond a quarter of the engine's
memory into a scratch file.
"""
