"""What a job came to, as `report.json` and `report.html`: made from its records alone, by whoever reads these.

`reading` goes over the records once and keeps a few numbers of each try; `measuring` makes figures of them, `page` a
page of the figures. `leaving` has both files lie in the job's folder at its end. No report decides how a job ends.
"""

from triptych.reports.leaving import HTML, JSON, files_of, leaving_report, left_report, report_place
from triptych.reports.measuring import measure
from triptych.reports.model import Prices, Report
from triptych.reports.page import page

__all__ = [
    "HTML",
    "JSON",
    "Prices",
    "Report",
    "files_of",
    "leaving_report",
    "left_report",
    "measure",
    "page",
    "report_place",
]
