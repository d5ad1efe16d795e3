#!/usr/bin/env python3
"""Is the deployed shop usable? Buys one thing and reads it back.

    STOREFRONT_URL=http://127.0.0.1:8080 tests/smoke.py [--out smoke.xml]

Writes JUnit XML; exit code 1 when a check failed. Needs Python 3.8 only; runs without the rest of the repository.
"""

import json
import os
import sys
import time
import traceback
import urllib.error
import urllib.request
import uuid
import xml.etree.ElementTree as ET
from datetime import datetime, timezone

URL = os.environ.get("STOREFRONT_URL", "").rstrip("/")
KEY = f"smoke-{uuid.uuid4().hex}"


def ask(path, body=None, headers=None):
    """(status, JSON or text) of one request."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data=data, headers={"content-type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


def basket(**changes):
    return {"key": KEY, "customer": "smoke", "sku": "tea-assam", "qty": 1, "card": {"number": "4111 1111 1111 1111", "expires": "12/39"}, **changes}


def expect(expected, found, what):
    if expected != found:
        raise AssertionError(f"{what}: expected {expected!r}, found {found!r}")


def health_is_ok():
    status, body = ask("/healthz")
    expect((200, "ok"), (status, body.get("status") if isinstance(body, dict) else body), "health")


def the_catalogue_has_articles():
    status, body = ask("/")
    expect(200, status, "status")
    expect(True, len(body) > 0 and "sku" in body[0], "articles are listed")


def a_browser_gets_a_page():
    status, body = ask("/", headers={"accept": "text/html"})
    expect((200, True), (status, "<h1>Shop</h1>" in body), "page")


def a_product_has_a_price():
    status, body = ask("/product/tea-assam?qty=2")
    expect(200, status, "status")
    expect(True, body["total_cents"] > 0, "there is a price")


def an_unknown_product_is_not_found():
    expect(404, ask("/product/moon")[0], "status")


def an_order_can_be_placed_and_read():
    status, placed = ask("/checkout", basket())
    expect(True, status in (200, 201), f"placed (status {status}: {placed})")
    status, read = ask(f"/order/{placed['id']}")
    expect(200, status, "status of reading it")
    # Two versions may serve at the same time, and the newer one may say more about an order.
    for field in ("id", "sku", "qty", "total_cents"):
        expect(placed[field], read[field], f"{field} read back")


def a_second_click_is_the_same_order():
    (_, first), (status, second) = ask("/checkout", basket()), ask("/checkout", basket())
    expect((200, first["id"]), (status, second["id"]), "the repeated order")


def a_bad_card_is_refused():
    status, _ = ask("/checkout", basket(key=KEY + "-x", card={"number": "4111 1111 1111 1112", "expires": "12/39"}))
    expect(402, status, "status")


CHECKS = [
    health_is_ok,
    the_catalogue_has_articles,
    a_browser_gets_a_page,
    a_product_has_a_price,
    an_unknown_product_is_not_found,
    an_order_can_be_placed_and_read,
    a_second_click_is_the_same_order,
    a_bad_card_is_refused,
]


def main():
    if not URL:
        sys.exit("smoke.py: STOREFRONT_URL is not set")
    out = sys.argv[sys.argv.index("--out") + 1] if "--out" in sys.argv else "smoke.xml"
    started, begun = datetime.now(timezone.utc), time.monotonic()
    suite = ET.Element("testsuite", name="smoke", timestamp=started.strftime("%Y-%m-%dT%H:%M:%S"), hostname=URL)
    failures = 0
    for check in CHECKS:
        clock = time.monotonic()
        case = ET.SubElement(suite, "testcase", classname="smoke", name=check.__name__)
        try:
            check()
        except Exception as problem:  # whatever goes wrong is a failed check, not a crash of the report
            failures += 1
            ET.SubElement(case, "failure", message=str(problem)).text = traceback.format_exc()
            print(f"failed: {check.__name__}: {problem}")
        case.set("time", f"{time.monotonic() - clock:.3f}")
    counts = {"tests": len(CHECKS), "failures": failures, "errors": 0, "skipped": 0}
    for key, value in counts.items():
        suite.set(key, str(value))
    suite.set("time", f"{time.monotonic() - begun:.3f}")
    root = ET.Element("testsuites", name="smoke")
    root.append(suite)
    ET.ElementTree(root).write(out, encoding="utf-8", xml_declaration=True)
    print(f"{len(CHECKS)} checks, {failures} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
