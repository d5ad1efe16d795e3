#!/usr/bin/env python3
"""A made-up database of advisories in OSV's format, and a CycloneDX document: the same for the same seed.

`generate.py FOLDER [ADVISORIES] [COMPONENTS]` writes FOLDER/osv/ECOSYSTEM/all.zip, FOLDER/bom.json and FOLDER/new.json. The
shares of ecosystems and the shapes of records follow the public dumps: half are malware reports of npm, a quarter are
distributions', sizes are 0.7 to 4 kB; a tenth of the components have a weakness."""
import json, os, random, sys, zipfile

SHARES = [("npm", .50), ("PyPI", .09), ("Debian:12", .10), ("Ubuntu:22.04:LTS", .10), ("Alpine:v3.20", .04), ("Maven", .06), ("Go", .04),
          ("Packagist", .04), ("crates.io", .01), ("RubyGems", .01), ("NuGet", .01)]
WORDS = "remote code execution through crafted input in the parser allows an attacker to read memory write files bypass checks cause denial service".split()
PURLS = {"npm": "npm", "PyPI": "pypi", "Maven": "maven", "Go": "golang", "Packagist": "composer", "crates.io": "cargo", "RubyGems": "gem",
         "NuGet": "nuget", "Debian:12": "deb/debian", "Ubuntu:22.04:LTS": "deb/ubuntu", "Alpine:v3.20": "apk/alpine"}


def text(rng, words):
    return " ".join(rng.choice(WORDS) for _ in range(words))


def name(ecosystem, number):
    if ecosystem == "Maven":
        return f"org.group{number % 900}:artifact-{number}"
    if ecosystem in ("Go", "Packagist"):
        return ("github.com/" if ecosystem == "Go" else "") + f"owner{number % 700}/package-{number}"
    return f"package-{number}"


def version(rng):
    return f"{rng.randrange(9)}.{rng.randrange(20)}.{rng.randrange(30)}"


def record(rng, ecosystem, number, packages):
    package = rng.randrange(packages) if rng.random() < .7 else rng.randrange(1 + packages // 50)
    full = name(ecosystem, package)
    made = {"schema_version": "1.7.0", "id": f"X-{ecosystem.split(':')[0]}-{number}", "modified": f"2026-{1 + number % 11:02}-{1 + number % 28:02}T10:00:00Z",
            "published": "2026-01-01T00:00:00Z", "aliases": [f"CVE-2026-{number}"], "summary": text(rng, 8),
            "details": text(rng, rng.randrange(40, 400)).replace(" the ", "\n\n### the "),
            "references": [{"type": "WEB", "url": f"https://example.com/{number}/{at}"} for at in range(rng.randrange(2, 8))]}
    affected = {"package": {"ecosystem": ecosystem, "name": full}}
    if ecosystem == "npm" and rng.random() < .9:
        # Malware reports share their text.
        made["details"] = "Any computer that has this package installed or running should be considered fully compromised. " * 6
        made["references"] = made["references"][:2]
        made["id"] = f"MAL-{number}"
        affected["versions"] = [version(rng) for _ in range(rng.randrange(1, 4))]
        made["database_specific"] = {"malicious-packages-origins": [{"sha256": f"{rng.getrandbits(256):064x}", "source": "x", "versions": ["1.0.0"]}]}
    else:
        low, high = sorted([version(rng), version(rng)])
        kind = "SEMVER" if ecosystem in ("npm", "Go", "crates.io") else "ECOSYSTEM"
        affected["ranges"] = [{"type": kind, "events": [{"introduced": "0" if rng.random() < .6 else low}, {"fixed": high}]}]
        if ecosystem == "PyPI":
            affected["versions"] = [version(rng) for _ in range(rng.randrange(5, 60))]
        made["severity"] = [{"type": "CVSS_V3", "score": f"CVSS:3.1/AV:{rng.choice('NALP')}/AC:{rng.choice('LH')}/PR:{rng.choice('NLH')}/UI:N/S:U/C:{rng.choice('NLH')}/I:{rng.choice('NLH')}/A:H"}]
        made["database_specific"] = {"severity": "HIGH", "cwe_ids": ["CWE-79"], "github_reviewed": True}
    made["affected"] = [affected]
    return made


def main():
    folder = sys.argv[1]
    advisories, components = [int(text) for text in (sys.argv[2:] + ["200000", "1000"][len(sys.argv) - 2:])]
    rng = random.Random(2026)
    number = 0
    for ecosystem, share in SHARES:
        count = round(advisories * share)
        path = os.path.join(folder, "osv", ecosystem.split(":")[0])
        os.makedirs(path, exist_ok=True)
        with zipfile.ZipFile(os.path.join(path, "all.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
            for _ in range(count):
                number += 1
                made = record(rng, ecosystem, number, max(10, count // 2))
                archive.writestr(zipfile.ZipInfo(f"{made['id']}.json"), json.dumps(made), zipfile.ZIP_DEFLATED)
    parts = []
    for at in range(components):
        ecosystem = rng.choices([one for one, _ in SHARES], [share for _, share in SHARES])[0]
        known = rng.random() < .5
        full = name(ecosystem, rng.randrange(max(10, round(advisories * dict(SHARES)[ecosystem]) // 2))) if known else f"unknown-{at}"
        purl = f"pkg:{PURLS[ecosystem]}/{full.replace(':', '/')}@{version(rng)}"
        release = {"Debian:12": "?distro=debian-12", "Ubuntu:22.04:LTS": "?distro=ubuntu-22.04", "Alpine:v3.20": "?distro=alpine-3.20"}
        purl += release.get(ecosystem, "")
        parts.append({"type": "library", "bom-ref": f"{purl}#{at}", "name": full, "purl": purl})
    with open(os.path.join(folder, "bom.json"), "w") as file:
        json.dump({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": parts}, file)
    first = next(part for part in parts if part["purl"].startswith("pkg:npm/"))
    with open(os.path.join(folder, "new.json"), "w") as file:
        json.dump({"id": "NEW-1", "modified": "2026-11-25T00:00:00Z", "affected": [
            {"package": {"ecosystem": "npm", "name": first["name"]}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]}]}, file)


main()
