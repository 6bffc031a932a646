"""What runs an engine, and what it may use while it runs.

An engine's author takes `resources()`: a scratch folder that goes when the stage ends, and `share(fraction, what)` of
the memory, with the one sentence that refuses more. `loading` runs an engine's script by its path, with the modules
beside it (`modules`), and names what is missing; `allocator` tells the C library to keep freed memory. Light: Airflow's
parse imports it.
"""
