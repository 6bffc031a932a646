"""Calls `run(basepath, params)` of the script named on the command line.

Runs inside the app's image: Python 3.6 or newer, no packages.
"""

import importlib.util
import json
import os
import shutil
import sys

script = sys.argv[1]
basepath = os.environ["TRIPTYCH_INPUT"]
results = os.environ["TRIPTYCH_OUTPUT"]
sys.path.insert(0, os.path.dirname(script))
spec = importlib.util.spec_from_file_location("app_main", script)
module = importlib.util.module_from_spec(spec)
module.OUTPUT_PATH = os.path.relpath(results, basepath)  # The script's own constant replaces it.
sys.modules["app_main"] = module
spec.loader.exec_module(module)
os.chdir(basepath)
module.run(basepath, json.loads(os.environ["TRIPTYCH_PARAMS"]))

written = os.path.join(basepath, module.OUTPUT_PATH)
if os.path.realpath(written) != os.path.realpath(results):
    if os.path.isdir(written):
        for name in os.listdir(written):
            shutil.move(os.path.join(written, name), os.path.join(results, name))
    elif os.path.exists(written):
        shutil.move(written, os.path.join(results, os.path.basename(written)))
