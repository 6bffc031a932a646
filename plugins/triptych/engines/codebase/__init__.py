"""Source trees: what git ignores, which language a file is in, which files belong together.

An engine's author opens a tree with `archives.tree.open_tree`, leaves out what `gitignore.GitIgnore` names, asks
`languages.tags_of`, and groups by `units.unit_of`; `content.TreeContent` is what an assembler learns of a chunk.
Memory: paths and the patterns of .gitignore files, never contents.
"""
