"""The console: its page, and what it is told that no client of a job service asks for, of chunks and of forms.

Its source is in `console/`, at the top of the repository; `make console` bundles it into `static/`, which is kept with
the source, so that who has the package or a clone has the console, with npm or without.
"""
