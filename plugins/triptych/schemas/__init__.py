"""JSON Schemas: those of our own files, and what is said of values that a schema refuses.

`manifest.schema.json`, `template.schema.json` and `job.schema.json` are what reading validates with, what editors
complete with (`$schema`), and what the reference pages are made from.
"""
