"""Results as JUnit XML, which GitHub, GitLab, Jenkins and others show."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from triptych.errors import ConfigError
from triptych.harmless import harmless
from triptych.local.testing.run_case import CaseResult, State

_NO_XML = re.compile("[\ufffe\uffff]")
"""What no XML holds, beside what `harmless` escapes."""


def write_junit(results: Sequence[CaseResult], path: Path) -> None:
    """One suite, one test case each; folders on the way are made. ConfigError where it cannot be written."""
    counts = {state: sum(each.state is state for each in results) for state in State}
    about = {"name": "triptych app test", "tests": str(len(results)), "failures": str(counts[State.FAILED])}
    seconds = sum(each.seconds for each in results)
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", {**about, "errors": str(counts[State.ERROR]), "time": f"{seconds:.3f}"})
    for each in results:
        app, _, name = each.label.partition("/")
        case = ET.SubElement(
            suite, "testcase", {"classname": app, "name": name or "test", "time": f"{each.seconds:.3f}"}
        )
        if each.state in (State.FAILED, State.ERROR):
            text = _NO_XML.sub("?", harmless(each.error or "\n".join(map(str, each.differences))))
            tag = "failure" if each.state is State.FAILED else "error"
            ET.SubElement(case, tag, {"message": text.partition("\n")[0]}).text = text
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        msg = f"--junit {path}: cannot be written: {error.strerror}."
        raise ConfigError(msg) from error
