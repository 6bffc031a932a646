"""A package, so that fixtures of scope "package" end with its last test: what they start takes CPU from the others."""
