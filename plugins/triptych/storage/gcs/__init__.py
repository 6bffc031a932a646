"""`gs://`: Google Cloud Storage. `store` is the store; it uploads by `upload` (by `parts`, or by a session), puts
together what the store has already by `composing`, and reads by `download`; `requests` has what each request shares,
and what we touch of google-cloud-storage that is private.
"""
