"""Who attacked, in one window of logs: `data.bin` in, `attacks.jsonl` out, one line per attempt.

Each service has rules: a name, and patterns that find the host that is to blame, and the user where one was tried. What
a user types stands in the line, too, and may look like another host, as of `ssh 'from 10.1.1.1'@server`: a pattern is
anchored where the service writes, so that the host is the one that the service saw.
"""

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path

HOST = r"\[?(?:::ffff:)?(?P<host>[\w.:-]+?)\]?"
CLIENT = r"^\[client \[?(?P<host>[\d.]+|[\da-f]*:[\da-f:]+)\]?(?::\d+)?\] (?:AH\d+: )?"
UNKNOWN = "(?:invalid|illegal) user"
PORT = r"(?: port \d+)?"
SERVICES = {
    "apache": r"\[(?:\w*:)?error\] (?:\[pid [\d:a-z ]+\] )?(?P<text>\[client .*)",
    "sshd": r"\[?sshd(?:\[(?P<session>\d+)\]|\]| \d+ \S+ (?:-|\[.*\]))?:?\s+(?:\[ID \d+ \S+\] )?(?P<text>.*)",
    "postfix": r"postfix[\w/-]*\[\d+\]:\s+(?P<text>.*)",
    "dovecot": r"(?:\bdovecot|\bauth|[\w-]+-login|auth-worker)\S*:\s+(?P<text>.*)",
}
"""What a line of each looks like, and where its text begins. `session` is one connection's number."""
RULES = {
    "sshd": {
        "failed_login": [
            rf"^Failed (?!publickey)\S+ for (?:{UNKNOWN} )?(?P<user>.*?) from {HOST}{PORT}(?: ssh\d)?(?:: .*)?$",
            # A key that is not taken is none: clients of known users offer one after the other.
            rf"^Failed publickey for {UNKNOWN} (?P<user>.*?) from {HOST}{PORT}(?: ssh\d)?(?:: .*)?$",
            rf"^(?:error: )?PAM: .* for (?:illegal user )?(?P<user>.*) from {HOST}(?: via \S+)?$",
            rf"^(?:error: )?maximum authentication attempts exceeded for (?P<user>.*) from {HOST} port",
            rf"^(?:error: )?Received disconnect from {HOST}{PORT}:\s*\d+: (?:.*Auth fail|.*\[preauth\]$)",
            r"^Disconnecting: Too many authentication failures",
        ],
        "unknown_user": [
            rf"^(?:Invalid|Illegal) user (?P<user>.*?) from {HOST}{PORT}$",
            rf"^Disconnecting invalid user (?P<user>.*) {HOST} port \d+: Change of username",
        ],
        "forbidden_user": [
            rf"^User (?P<user>.+) from {HOST} not allowed because",
            rf"^ROOT LOGIN REFUSED FROM {HOST}{PORT}(?: \[preauth\])?$",
            rf"^refused connect from .* \({HOST}\)$",
        ],
        "probe": [
            rf"^Did not receive identification string from {HOST}{PORT}$",
            rf"^Bad protocol version identification '.*' from {HOST}{PORT}$",
            rf"^banner exchange: Connection from {HOST} port \d+: invalid format$",
            rf"^(?:fatal: )?Unable to negotiate with {HOST} port \d+: no matching",
            rf"^(?:Connection \w+ by|Disconnected from) \w+ user (?P<user>.*) {HOST} port \d+ \[preauth\]$",
            rf"^(?:Connection \w+ by|Disconnected from) {HOST}{PORT} \[preauth\]$",
            r"^fatal: (?:Unable to negotiate|no matching|Read from socket failed)",
            r"^error: kex_exchange_identification: (?!banner)",
        ],
    },
    "postfix": {
        "failed_login": [
            rf"^warning: \S*\[{HOST}\](?::\d+)?: SASL \S+ authentication failed:(?! Connection lost to auth)",
            rf"^disconnect from \S*\[{HOST}\].* auth=0/",
        ],
        "rejected": [rf"reject: \w+ from \S*?\[{HOST}\](?::\d+)?: [45]\d\d "],
        "probe": [
            rf"^(?:improper command pipelining|too many errors) after \S+ from \S*\[{HOST}\]",
            rf"^lost connection after (?!DATA)\S+ from \S*\[{HOST}\]$",
            rf"^(?:PREGREET|HANGUP|COMMAND (?:TIME|COUNT) LIMIT) .*?from \[{HOST}\]:\d+",
        ],
    },
    "dovecot": {
        "failed_login": [
            rf"\((?:auth failed|tried to use dis\w+ plaintext auth|proxy dest auth failed)\b.*\brip={HOST}(?:,|$)",
            rf"authentication failure; .* rhost={HOST}(?:\s+user=(?P<user>.*))?$",
            rf"\w\((?P<user>[^,()]*),{HOST}(?:,[^)]*)?\): (?:[Uu]nknown user|[Pp]assword mismatch)",
            rf"\w\((?P<user>[^,()]*),{HOST}(?:,[^)]*)?\): (?:invalid credentials|pam_\w+\(\) failed)",
        ],
        "probe": [
            rf": (?:Connection closed|Too many).*\(no auth attempts\b.*\brip={HOST}(?:,|$)",
            rf"\((?:disconnected (?:before|during)|client didn't finish) .*\brip={HOST}(?:,|$)",
        ],
    },
    "apache": {
        "failed_login": [
            rf"{CLIENT}(?:Digest: )?user .*(?:not found(?:: .*)?$|password mismatch|auth\w+ failure)",
            rf"{CLIENT}(?:Digest: )?(?:client used wrong|invalid qop|realm mismatch|unknown algorithm)",
            rf"{CLIENT}(?:Digest: )?invalid nonce .* - (?:length is not|user attempted)",
        ],
        "forbidden": [
            rf"{CLIENT}client denied by server configuration",
            rf"{CLIENT}Authorization of user (?P<user>.*) to access .* failed",
        ],
        "probe": [rf"{CLIENT}(?:Hostname|No hostname) .*\bSNI\b"],
    },
}
SESSION_HOST = re.compile(
    rf"^(?:Connection from {HOST}(?: port .*)?|SSH: Server;.*Remote: (?P<remote>[\w.:]+)-\d+;.*"
    rf"|Failed publickey for .* from {HOST.replace('host', 'known')} port .*)$"
)
"""sshd names the host when it connects; what fails later may name its number alone."""
CLOSED = re.compile(rf"^Connection \w+ by {HOST}{PORT}$")
STAMP = re.compile(
    r"^(?:<\d+>\d+ )?(?P<iso>\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d)?)|^(?P<syslog>[A-Z][a-z]{2}\s+\d+ [\d:]+)"
    r"|^\[[A-Z][a-z]{2} (?P<apache>[A-Z][a-z]{2} \d+ [\d:]+)(?:\.\d+)? (?P<year>\d{4})\]"
)


def time_of(line: str, window: datetime) -> str | None:
    """In ISO 8601, as the line has it. Where it has no year, the window's is meant."""
    found = STAMP.match(line)
    if found is None:
        return None
    if found["iso"]:
        return found["iso"].replace(" ", "T")
    text = f"{found['year'] or window.year} {found['syslog'] or found['apache']}"
    return datetime.strptime(text, "%Y %b %d %H:%M:%S").isoformat()


def first_hit(patterns: dict[str, list[re.Pattern]], text: str) -> tuple[str, re.Match] | None:
    """The name of the rule, or service, that finds something in the text, and what it finds."""
    found = ((name, each.search(text)) for name, rules in patterns.items() for each in rules)
    return next(((name, hit) for name, hit in found if hit), None)


def attacks(lines: Iterable[str], window: datetime, wanted: Collection[str] = tuple(RULES)) -> Iterator[dict]:
    services = {name: [re.compile(pattern)] for name, pattern in SERVICES.items() if name in wanted}
    rules = {each: {name: [*map(re.compile, found)] for name, found in named.items()} for each, named in RULES.items()}
    hosts: dict[str, str] = {}
    unnamed: set[str] = set()
    for line in lines:
        told = first_hit(services, line)
        if told is None:
            continue
        service, text = told[0], told[1]["text"].rstrip()
        session = told[1].groupdict().get("session") or ""
        if session and (began := SESSION_HOST.match(text)):
            hosts[session] = began["host"] or began["remote"] or began["known"]
        hit = first_hit(rules[service], text)
        if hit is None and session in unnamed and (closed := CLOSED.match(text)):
            hit = ("probe", closed)
        if hit is None:
            continue
        host = hit[1].groupdict().get("host") or hosts.get(session)
        if host is None:
            unnamed.add(session)
            continue
        tried = {"rule": hit[0], "host": host, "user": hit[1].groupdict().get("user") or ""}
        yield {"time": time_of(line, window), "service": service, **tried, "line": line}


def main() -> None:
    window = datetime.fromisoformat(json.loads(os.environ["CHUNK_METADATA"])["start"])
    params = json.loads(os.environ["APP_PARAMS"])
    found = 0
    with (
        Path(os.environ["TASK_DIR"], "data.bin").open(encoding="utf-8", errors="replace") as log,
        Path(os.environ["TASK_RESULTS_DIR"], "attacks.jsonl").open("w") as out,
    ):
        for attack in attacks((line.rstrip("\r\n") for line in log), window, params.get("services", tuple(RULES))):
            out.write(json.dumps(attack) + "\n")
            found += 1
    print(f"{found} attempts")


if __name__ == "__main__":
    main()
