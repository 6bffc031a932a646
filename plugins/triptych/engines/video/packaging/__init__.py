"""Films that are joined, as packages for players: fragmented MP4 in segments that begin at keyframes, and playlists.

An assembler takes `ladder.read_film` of each rendition, `ladder.segment_starts` of all, `segments.segments` of each
track, and writes what `playlists` says. Nothing is encoded here. Memory: two segments, and some bytes for each frame.
"""
