"""Video cut and joined frame by frame: copied where both cuts are clean, else encoded anew, with its sound in step.

An engine's author opens a source with `splitting.open_indexed`, chooses the frames at which to cut, and yields
`splitting.video_chunks`; assemblers take `concatenation.outputs_of` and `join_parts`. `segment.VideoSegment` is what
the two tell each other. Memory: about 9 bytes per frame of a source, and what FFmpeg holds; files are read by ranges.
"""
