"""Audio read, cut and joined sample by sample, whatever its format.

An engine's author opens a source with `opening.open_seekable`, yields `splitting.audio_chunks` of its spans, and joins
results with `concatenation.mixed`; `span.AudioSpan` is what the two tell each other. WAV of PCM or floats is cut as
ranges of its source; all else is decoded by libsndfile or FFmpeg. Memory: blocks of BLOCK_FRAMES, and while joining as
many frames as overlap, never a whole file.
"""
