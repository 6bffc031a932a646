"""Tests of apps: what lies in an app's `test/` is run as a whole job, and its output compared with `expected/`.

`cases` reads them, `run_case` runs one, `comparison` compares folders, and `lines`, `numbers`, `values` and `images`
files; `check_script` lets a script of the app's own judge.
"""
