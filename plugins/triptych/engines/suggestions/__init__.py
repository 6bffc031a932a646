"""Which partitioners fit somebody's own files: what `triptych engine suggest` says before it previews.

`looking.look` reads a file's beginning by the check of first bytes and the dialects that engines read it with;
`fitting.suggestions` names partitioners, with parameters. Memory: the first MIB of one file. No engine uses it.
"""
