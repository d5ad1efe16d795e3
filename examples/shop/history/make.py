#!/usr/bin/env python3
"""Writes the shop's history as a git repository and prints {tag: commit} as JSON.

    history/make.py DEST        DEST must not exist, or be an empty folder

The folder above is version 1.0.0; `patches/` leads from it to every other version. Three authors, fixed
dates and nothing from the surroundings: the same files give the same commit ids on every machine.

Nothing here builds or judges what it writes; `history/check.sh` does.
"""

import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SHOP = os.path.dirname(HERE)
PATCHES = os.path.join(HERE, "patches")

ADA = ("Ada", "ada@shop.example")
LINUS = ("Linus", "linus@shop.example")
MARY = ("Mary", "mary@shop.example")

PAYMENT_ONLY = "//! The orders service. So far: payment.\n\npub mod pay;\n"


class Repository:
    def __init__(self, path):
        self.path = path
        os.makedirs(path, exist_ok=True)
        if os.listdir(path):
            sys.exit(f"make.py: {path} is not empty")
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments, env=None):
        # No configuration of this machine or user may change a commit id.
        surroundings = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        surroundings.update(GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_NOSYSTEM="1", **(env or {}))
        command = ["git", "-C", self.path, "-c", "core.autocrlf=false", "-c", "core.fileMode=true", *arguments]
        done = subprocess.run(command, env=surroundings, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"make.py: git {' '.join(arguments)} failed")
        return done.stdout.strip()

    def take(self, *paths):
        """Files and folders as version 1.0.0 has them."""
        for path in paths:
            source, target = os.path.join(SHOP, path), os.path.join(self.path, path)
            if os.path.isdir(source):
                shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("target", "out", "__pycache__"))
            else:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy2(source, target)

    def write(self, path, text):
        with open(os.path.join(self.path, path), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)

    def patch(self, name):
        self.git("apply", "--whitespace=nowarn", os.path.join(PATCHES, f"{name}.patch"))

    def members(self):
        """The workspace names the programs that are there so far."""
        present = [name for name in ("client", "orders", "storefront") if os.path.isdir(os.path.join(self.path, name))]
        with open(os.path.join(SHOP, "Cargo.toml"), encoding="utf-8") as file:
            text = file.read()
        listed = ", ".join(f'"{name}"' for name in present)
        self.write("Cargo.toml", text.replace('members = ["client", "orders", "storefront"]', f"members = [{listed}]"))

    def commit(self, author, date, message):
        name, email = author
        for folder, _, files in os.walk(self.path):
            if ".git" in folder.split(os.sep):
                continue
            for file in files:
                os.chmod(os.path.join(folder, file), 0o755 if file.endswith((".sh", ".py")) else 0o644)
        self.git("add", "--all")
        who = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in (("NAME", name), ("EMAIL", email), ("DATE", date))}
        self.git("commit", "--quiet", "--no-gpg-sign", "--message", message, env=who)

    def tag(self, name):
        self.git("tag", name)

    def branch(self, name, start):
        self.git("checkout", "--quiet", "-b", name, start)


def first_version(shop):
    shop.take("rustfmt.toml", "clippy.toml", ".gitignore", "build.sh", "in-turn.sh", "client")
    shop.members()
    shop.commit(MARY, "2026-10-05T09:12:00+0200", "Client: an open-model crowd and its journal")

    shop.take("orders/Cargo.toml", "orders/src/pay.rs")
    shop.write("orders/src/lib.rs", PAYMENT_ONLY)
    shop.patch("planted")
    shop.members()
    shop.commit(ADA, "2026-10-06T14:30:00+0200", "Payment: check the card before an order is taken")

    paid = os.path.join(shop.path, "orders/src/pay.rs")
    with open(paid, encoding="utf-8") as file:
        as_ada_left_it = file.read()
    shop.take("orders")
    shop.write("orders/src/pay.rs", as_ada_left_it)
    shop.commit(LINUS, "2026-10-08T11:05:00+0200", "Orders: catalogue, prices and orders that are on disk when acknowledged")

    shop.take("storefront", "Cargo.toml", "Cargo.lock")
    shop.commit(LINUS, "2026-10-12T16:40:00+0200", "Storefront: catalogue, prices, checkout")

    shop.take("tests", "scan.sh")
    shop.commit(MARY, "2026-10-14T10:20:00+0200", "Tests: JUnit report, smoke test, static analysis")
    shop.tag("v1.0.0-planted")

    shop.take("orders/src/pay.rs")
    shop.commit(ADA, "2026-10-15T09:02:00+0200", "Payment: an unreadable expiry date is refused, not a panic")
    shop.tag("v1.0.0")


def second_version(shop):
    shop.patch("migration")
    shop.commit(LINUS, "2026-10-27T13:15:00+0100", "Migration 0002: columns for gifts, filled in batches")
    shop.patch("gift")
    shop.commit(MARY, "2026-10-29T15:48:00+0100", "Gift wrap and a note, version 1.1.0")
    shop.tag("v1.1.0")


def parcel(shop, patch):
    shop.patch(patch)
    shop.commit(LINUS, "2026-11-09T10:33:00+0100", "Shipping by the weight of the parcel")


def rebate(shop, patch):
    shop.patch(patch)
    shop.commit(MARY, "2026-11-11T17:21:00+0100", "A rebate for several pieces, version 1.2.0")


def every_price(shop):
    shop.patch("every-price-test")
    shop.commit(MARY, "2026-11-12T09:40:00+0100", "Test: every article has a price in every number")


def third_versions(shop):
    parcel(shop, "parcel")
    rebate(shop, "rebate")
    every_price(shop)
    shop.tag("v1.2.0-good")

    shop.branch("closed-tiers", "v1.1.0")
    parcel(shop, "parcel")
    rebate(shop, "rebate-closed-tiers")
    shop.tag("v1.2.0-errors-30")

    shop.branch("narrow-weights", "v1.1.0")
    parcel(shop, "parcel-16-bit")
    rebate(shop, "rebate")
    shop.tag("v1.2.0-errors-3")

    shop.branch("desk", "v1.2.0-good")
    shop.patch("desk")
    shop.commit(ADA, "2026-11-13T11:11:00+0100", "Prices of larger numbers are worked out in rounds")
    shop.tag("v1.2.0-latency")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    shop = Repository(os.path.abspath(sys.argv[1]))
    first_version(shop)
    second_version(shop)
    third_versions(shop)
    shop.git("checkout", "--quiet", "main")
    tags = shop.git("tag", "--list").split()
    print(json.dumps({tag: shop.git("rev-parse", f"{tag}^{{commit}}") for tag in tags}, indent=2))


if __name__ == "__main__":
    main()
