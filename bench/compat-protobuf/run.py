#!/usr/bin/env python3
"""1,000 .proto files against a copy of themselves with planted changes, beside `buf breaking`.

Generates a tree of 20 packages whose files import one another (comments, maps, oneofs, enums, services, options; about 9 KB a
file), plants breaks and harmless changes in a copy, and runs both programs from files to findings, rounds interleaved. Each must
find every planted break and nothing at the harmless changes. Fetches the PyPI package `buf-bin` into the ignored folder
bench/peers. Prints a line of JSON a job and writes RESULTS.json. `run.py [ROUNDS] [FILES]`."""
import json, os, random, re, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import side_by_side  # noqa: E402

BUF = "buf-bin==1.75.0"
PACKAGES = 20
SCALARS = ["int32", "int64", "uint32", "uint64", "sint64", "fixed32", "double", "float", "bool", "string", "bytes"]
CATEGORY = {"source": "FILE", "wire-json": "WIRE_JSON", "wire": "WIRE"}


def source(index, rng):
    package = f"shop.area{index % PACKAGES}.v1"
    lines = ['syntax = "proto3";', "", f"// Contracts of part {index}.", f"package {package};", ""]
    others = sorted({rng.randrange(index) for _ in range(4)}) if index else []
    lines += [f'import "{path(other)}";' for other in others]
    lines += ['import "google/protobuf/timestamp.proto";', "", f'option go_package = "example.com/shop/area{index % PACKAGES}/v1";',
              "option java_multiple_files = true;", f'option java_package = "com.example.shop.area{index % PACKAGES}";', ""]
    lines += [f"// How far a thing of part {index} has come.", f"enum State{index} {{"]
    lines += [f"  STATE{index}_{value} = {value};" for value in range(8)] + ["}", ""]
    for message in range(8):
        lines += [f"// Message {message} of part {index}. What it is for is said here at some length, as people do in contracts that",
                  "// others read: who fills it, who may rely on it, and since when.", f"message M{index}x{message} {{"]
        for number in range(1, 15):
            kind = rng.choice(SCALARS)
            label = rng.choice(["", "", "", "repeated ", "optional "])
            lines.append(f"  {label}{kind} field_{number} = {number};  // Field {number}.")
        lines.append(f"  map<string, int64> counts = 15;")
        lines.append(f"  State{index} state = 16;")
        lines.append("  google.protobuf.Timestamp at = 17;")
        if others:
            other = rng.choice(others)
            lines.append(f"  shop.area{other % PACKAGES}.v1.M{other}x{rng.randrange(8)} other = 18;")
        lines += ["  oneof choice {", "    string left = 20;", "    int64 right = 21;", "  }", "  reserved 30 to 39;", '  reserved "old";', "}", ""]
    lines.append(f"service Part{index} {{")
    lines += [f"  rpc Get{call}(M{index}x{call}) returns (M{index}x{7 - call});" for call in range(6)]
    return "\n".join(lines + ["}", ""])


def path(index):
    return f"shop/area{index % PACKAGES}/v1/part{index}.proto"


def once(text, pattern, new):
    changed, count = re.subn(pattern, new, text, count=1, flags=re.M)
    assert count == 1, pattern
    return changed


# What every level must find, and what no level may.
BREAKS = [
    lambda text, index: once(text, r"^  (repeated |optional |)\w+ field_7 = 7;.*\n", ""),
    lambda text, index: once(text, r"^  (repeated |optional |)\w+ field_3 = 3;", rf"  \1New{index} field_3 = 3;") + f"message New{index} {{ }}\n",
    lambda text, index: once(text, r"^  reserved 30 to 39;", "  reserved 31 to 39;"),
    lambda text, index: once(text, r"(rpc Get2\()\w+\)", rf"\1NewRequest{index})") + f"message NewRequest{index} {{ }}\n",
    lambda text, index: once(text, r"(rpc Get1\(\w+\) returns \()", r"\1stream "),
    lambda text, index: once(text, r"^    int64 right = 21;\n  }", "  }\n  int64 right = 21;"),
    lambda text, index: once(text, r"^  STATE\d+_5 = 5;\n", ""),
]
HARMLESS = [
    lambda text, index: once(text, r"^  map<string, int64> counts = 15;", "  map<string, int64> counts = 15;\n  string added = 40;"),
    lambda text, index: re.sub(r"//.*", "// Said otherwise.", text),
    lambda text, index: once(text, r"^  reserved 30 to 39;", "  reserved 30 to 45;"),
    lambda text, index: text + f"message Added{index} {{ string id = 1; }}\n",
    lambda text, index: once(text, r"^(  STATE\d+)_7 = 7;", r"\1_7 = 7;\n\1_8 = 8;"),
]


def plant(folder, files, rng):
    """Two trees; returns the files with a break."""
    broken, size = set(), 0
    chosen = rng.sample(range(files), 80)
    for index in range(files):
        text = source(index, random.Random(index))
        size += len(text)
        changed = text
        if index in chosen[:40]:
            changed = BREAKS[index % len(BREAKS)](text, index)
            broken.add(path(index))
        elif index in chosen[40:]:
            changed = HARMLESS[index % len(HARMLESS)](text, index)
        for side, content in [("base", text), ("revision", changed)]:
            target = os.path.join(folder, side, path(index))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w") as file:
                file.write(content)
    return broken, size


def ours(folder, level):
    program = os.path.join(side_by_side.RELEASE, "examples", "protobuf_compat")
    ran = subprocess.run([program, "base", "revision", level], cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return {line.split(" ")[2].rsplit(":", 1)[0].split("/", 1)[1] for line in ran.stdout.splitlines() if line.startswith("breaking ")}


def theirs(folder, level, buf):
    config = json.dumps({"version": "v2", "breaking": {"use": [CATEGORY[level]]}})
    command = [buf, "breaking", ".", "--against", "../base", "--config", config, "--against-config", config, "--error-format", "json"]
    ran = subprocess.run(command, cwd=os.path.join(folder, "revision"), capture_output=True, text=True)
    assert ran.returncode in (0, 100), ran.stderr
    return {json.loads(line)["path"] for line in ran.stdout.splitlines()}


def main():
    rounds, files = [int(one) for one in (sys.argv[1:] + ["7", "1000"][len(sys.argv) - 1:])[:2]]
    side_by_side.build("--package", "holdpoint-inspect", "--example", "protobuf_compat")
    buf = os.path.join(os.path.dirname(side_by_side.peer("compat-protobuf", BUF)), "buf")
    results = side_by_side.Results(__file__)
    with tempfile.TemporaryDirectory() as folder:
        broken, size = plant(folder, files, random.Random(1))
        for level in CATEGORY:
            took = {"ours": [], "buf": []}
            for _ in range(rounds):
                for name, run in [("ours", lambda: ours(folder, level)), ("buf", lambda: theirs(folder, level, buf))]:
                    began = time.perf_counter()
                    found = run()
                    took[name].append(time.perf_counter() - began)
                    assert found == broken, f"{name} at {level}: {sorted(found ^ broken)[:5]}"
            mine, peer = side_by_side.middle(took["ours"]), side_by_side.middle(took["buf"])
            results.add(job=f"compat protobuf --level {level}", files=files, megabytes=round(size / 1e6, 1), planted_breaks=len(broken),
                        found=len(broken), noise=0, rounds=rounds, seconds=mine, peer="buf " + BUF.split("==")[1], peer_seconds=peer,
                        times_faster=round(peer / mine, 1))
    results.write()


main()
