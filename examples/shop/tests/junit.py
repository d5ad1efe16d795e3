#!/usr/bin/env python3
"""Runs the tests of the workspace and writes JUnit XML.

    tests/junit.py [--out report.xml] [--package NAME]…

Builds all test programs with cargo, runs each of them and reads the result of every test from it.
Exit code 1 when a test failed or a program died; 2 when nothing could be built or no test was found.
Needs cargo and Python 3.8, nothing else.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from datetime import datetime, timezone

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
RESULT = re.compile(r"^test (.+?)(?: - should panic)? \.\.\. (ok|FAILED|ignored)", re.M)
OUTPUT = re.compile(r"^---- (.+?) stdout ----\n(.*?)(?=^---- |^failures:|\Z)", re.M | re.S)
# Characters that XML 1.0 cannot carry, such as the escape of coloured output.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def programs(packages):
    """(suite name, executable, working folder) of every test program."""
    chosen = [part for name in packages for part in ("--package", name)] or ["--workspace"]
    command = ["cargo", "test", "--locked", "--no-run", "--message-format=json-render-diagnostics", *chosen]
    build = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if build.returncode != 0:
        sys.exit(2)
    for line in build.stdout.splitlines():
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and message["profile"]["test"] and message["executable"]:
            folder = os.path.dirname(message["manifest_path"])
            yield f"{os.path.basename(folder)}::{message['target']['name']}", message["executable"], folder


def run(name, executable, folder):
    """One test program as a <testsuite>; None when it has no tests."""
    started, clock = datetime.now(timezone.utc), time.monotonic()
    done = subprocess.run([executable], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seconds = time.monotonic() - clock
    text = FORBIDDEN.sub("\ufffd", done.stdout)
    results, outputs = RESULT.findall(text), dict(OUTPUT.findall(text))
    if not results and done.returncode == 0:
        return None
    suite = ET.Element("testsuite", name=name, timestamp=started.strftime("%Y-%m-%dT%H:%M:%S"), time=f"{seconds:.3f}")
    failures = 0
    for test, outcome in results:
        case = ET.SubElement(suite, "testcase", classname=name, name=test)
        if outcome == "FAILED":
            failures += 1
            ET.SubElement(case, "failure", message="the test failed").text = outputs.get(test, "")
        elif outcome == "ignored":
            ET.SubElement(case, "skipped")
    if done.returncode != 0 and failures == 0:
        case = ET.SubElement(suite, "testcase", classname=name, name="the program ends")
        ET.SubElement(case, "error", message=f"exit code {done.returncode}").text = text[-4000:]
    for attribute, tag in (("tests", "testcase"), ("failures", "testcase/failure"), ("errors", "testcase/error"), ("skipped", "testcase/skipped")):
        suite.set(attribute, str(len(suite.findall(tag))))
    return suite


def main():
    turn = os.path.join(ROOT, "in-turn.sh")
    if os.environ.get("IN_TURN") != ROOT and os.path.exists(turn):
        os.execv(turn, [turn, sys.executable, os.path.abspath(__file__), *sys.argv[1:]])
    arguments = argparse.ArgumentParser(description="Runs the tests of the workspace and writes JUnit XML.")
    arguments.add_argument("--out", default="report.xml")
    arguments.add_argument("--package", action="append", default=[])
    arguments = arguments.parse_args()
    out = os.path.abspath(arguments.out)
    os.chdir(ROOT)
    suites = [suite for suite in (run(*program) for program in programs(arguments.package)) if suite is not None]
    root = ET.Element("testsuites", name="shop")
    root.extend(suites)
    totals = {key: sum(int(suite.get(key)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")}
    for key, total in totals.items():
        root.set(key, str(total))
    root.set("time", f"{sum(float(suite.get('time')) for suite in suites):.3f}")
    ET.indent(root) if hasattr(ET, "indent") else None
    ET.ElementTree(root).write(out, encoding="utf-8", xml_declaration=True)
    bad = totals["failures"] + totals["errors"]
    print(f"{totals['tests']} tests, {bad} failed, {totals['skipped']} skipped")
    for case in root.iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            print(f"failed: {case.get('classname')} {case.get('name')}")
    sys.exit(2 if totals["tests"] == 0 else 1 if bad else 0)


if __name__ == "__main__":
    main()
