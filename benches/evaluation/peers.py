"""What people use today, on the same logs: alarms by counts, a list of agents, fail2ban, CrowdSec."""

import collections
import datetime
import gzip
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import tempfile

MINUTE = datetime.timedelta(minutes=1)
# An alarm by counts alone: from this share of bad answers in a minute, or so many deviations above the 24 hours before.
THRESHOLD = 0.05
Z = 3.0


def alarms(loud):
    """Loud minutes up to five apart are one alarm."""
    found = []
    for minute in loud:
        if found and minute - found[-1][1] <= 5 * MINUTE:
            found[-1] = (found[-1][0], minute + MINUTE)
        else:
            found.append((minute, minute + MINUTE))
    return found


def loud_by_share(minutes):
    return [at for at, n, bad in minutes if bad >= THRESHOLD * n]


def loud_by_z(minutes):
    before, n, mean, squares, loud = collections.deque(), 0, 0.0, 0.0, []
    for at, _, bad in minutes:
        while before and before[0][0] < at - 1_440 * MINUTE:
            _, old = before.popleft()
            n, mean, squares = n - 1, mean - old, squares - old * old
        if n >= 60:
            deviation = max((squares / n - (mean / n) ** 2), 0.0) ** 0.5
            if bad > mean / n + Z * deviation and bad > 0:
                loud.append(at)
        before.append((at, bad))
        n, mean, squares = n + 1, mean + bad, squares + bad * bad
    return loud


def listed_agents(known={}):
    """Whether a public list of agents alone calls an agent a bot; None without the list."""
    file = os.environ.get("CRAWLER_AGENTS")
    if not file:
        return None
    patterns = [re.compile(entry["pattern"]) for entry in json.loads(pathlib.Path(file).read_text())]

    def is_listed(agent):
        if agent not in known:
            known[agent] = any(pattern.search(agent) for pattern in patterns)
        return known[agent]

    return is_listed


def banned_clients(logs):
    """By program: whom it would have banned."""
    with tempfile.TemporaryDirectory() as folder:
        plain = pathlib.Path(folder) / "access.log"
        with plain.open("wb") as file:
            for log in sorted(logs.glob("access.log*"), key=lambda log: -len(log.name) or log.name):
                file.write(gzip.open(log).read() if log.suffix == ".gz" else log.read_bytes())
        banned = {}
        if installed := os.environ.get("FAIL2BAN"):
            banned["fail2ban"] = fail2ban(installed, plain)
        if installed := os.environ.get("CROWDSEC"):
            banned["crowdsec"] = crowdsec(pathlib.Path(installed), plain)
        return banned


# Matches of an address within findtime from which fail2ban's jail.conf bans it.
FILTERS = {"nginx-botsearch": 2, "nginx-bad-request": 5, "nginx-limit-req": 5, "nginx-http-auth": 5}


def fail2ban(installed, plain):
    """Findtime is left out, which is in its favour."""
    banned = set()
    for name, most in FILTERS.items():
        path = f"{installed}/etc/fail2ban/filter.d/{name}.conf"
        command = ["python3", f"{installed}/usr/bin/fail2ban-regex", "-c", f"{installed}/etc/fail2ban", "-o", "ip", str(plain), path]
        environment = {**os.environ, "PYTHONPATH": f"{installed}/usr/lib/python3/dist-packages"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        matches = collections.Counter(done.stdout.split())
        banned |= {client for client, count in matches.items() if count >= most}
    return banned


# What CrowdSec's collection for Nginx enables, found in the package's copy of the hub.
COLLECTIONS = ["nginx", "base-http-scenarios", "http-cve"]
PARSERS = ["s00-raw/crowdsecurity/syslog-logs", "s01-parse/crowdsecurity/nginx-logs"]
PARSERS += [f"s02-enrich/crowdsecurity/{name}" for name in ("http-logs", "dateparse-enrich", "whitelists")]
CONFIG = """common: {{daemonize: false, log_media: stdout, log_level: warning, working_dir: {folder}}}
config_paths:
  {{config_dir: {folder}, data_dir: {folder}/data, simulation_path: {folder}/simulation.yaml, hub_dir: {hub}, index_path: {hub}/.index.json,
    notification_dir: {folder}, plugin_dir: {folder}}}
crowdsec_service: {{acquisition_path: {folder}/acquis.yaml, parser_routines: 1}}
cscli: {{output: json, hub_branch: master}}
db_config: {{type: sqlite, db_path: {folder}/data/crowdsec.db, flush: {{max_items: 1000000, max_age: 9000d}}}}
api:
  client: {{credentials_path: {folder}/local.yaml}}
  server: {{listen_uri: "127.0.0.1:18081", profiles_path: {folder}/profiles.yaml}}
prometheus: {{enabled: false}}
"""


def crowdsec(installed, plain):
    """Whom its scenarios alert of, by the log's times (`-dsn`), without network, geography and shared lists of addresses."""
    hub, shared = installed / "usr/share/crowdsec/hub", installed / "usr/share/crowdsec/data"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for kind in ["data", "scenarios", *(f"parsers/{parser.split('/')[0]}" for parser in PARSERS)]:
            (folder / kind).mkdir(parents=True, exist_ok=True)
        for known in ["patterns", "simulation.yaml", "profiles.yaml"]:
            (folder / known).symlink_to(installed / "etc/crowdsec" / known)
        for parser in PARSERS:
            stage, _, file = parser.split("/")
            (folder / "parsers" / stage / f"{file}.yaml").symlink_to(hub / "parsers" / f"{parser}.yaml")
        for scenario in scenarios(hub):
            (folder / "scenarios" / scenario.name).symlink_to(scenario)
            # Scenarios name their lists otherwise than the package does.
            lists = re.findall(r"source_url: \S+/(\S+)\s+dest_file: (\S+)", scenario.read_text())
            for packed, wanted in lists:
                if not (folder / "data" / wanted).exists():
                    (folder / "data" / wanted).symlink_to(shared / packed)
        (folder / "acquis.yaml").touch()
        (folder / "config.yaml").write_text(CONFIG.format(folder=folder, hub=hub))
        settings = ["-c", str(folder / "config.yaml")]
        for command in [
            [installed / "usr/bin/cscli", *settings, "machines", "add", "here", "--auto", "-f", folder / "local.yaml"],
            [installed / "usr/bin/crowdsec", *settings, "-dsn", f"file://{plain}", "-type", "nginx"],
        ]:
            subprocess.run(command, capture_output=True, check=True)
        with sqlite3.connect(folder / "data/crowdsec.db") as alerts:
            return {client for (client,) in alerts.execute("SELECT DISTINCT source_ip FROM alerts")}


def scenarios(hub):
    for collection in COLLECTIONS:
        text = (hub / "collections/crowdsecurity" / f"{collection}.yaml").read_text()
        listed = re.search(r"^scenarios:\n((?:\s+- \S+\n?)+)", text, re.MULTILINE)
        yield from (hub / "scenarios" / f"{name}.yaml" for name in re.findall(r"- (\S+)", listed[1]))
