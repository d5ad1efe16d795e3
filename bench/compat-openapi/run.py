#!/usr/bin/env python3
"""Real descriptions of 11 to 14 MB against copies of themselves with planted changes, beside two npm tools.

Fetches `@octokit/openapi` (GitHub's own descriptions) and the peers `api-smart-diff` and `openapi-diff` into the ignored
folder bench/peers. Plants breaks of 25 kinds and harmless changes of 12 kinds, each into a copy of its own, compares every
copy with the original, and counts what was found and what was noise. Then times unchanged, changed and YAML pairs, rounds
of all tools interleaved. Prints a line of JSON a job and writes RESULTS.json. `run.py [ROUNDS] [COPIES OF EACH KIND]`."""
import copy, json, os, random, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import side_by_side  # noqa: E402

PEERS = os.path.join(side_by_side.TOP, "bench", "peers", "compat-openapi")
PACKAGES = ["@octokit/openapi@23.0.2", "api-smart-diff@1.0.6", "openapi-diff@0.24.1", "js-yaml@4.1.0"]
OURS = os.path.join(side_by_side.RELEASE, "examples", "compat_openapi")
METHODS = ("get", "put", "post", "delete", "patch")

SMART = """
const fs = require('fs'), {apiDiff, breaking} = require('api-smart-diff');
const read = name => JSON.parse(fs.readFileSync(name));
const began = process.hrtime.bigint(), [a, b] = process.argv.slice(2).map(read), found = {breaking: 0, all: 0};
const key = Symbol('diff'), merged = apiDiff(a, b, {rules: 'OpenApi3', metaKey: key});
const walk = node => { if (!node || typeof node !== 'object') return; const meta = node[key];
  if (meta) for (const one of Object.values(meta)) if (one && one.type) { found.all++; if (one.type === breaking || one.type === 'breaking') found.breaking++; }
  for (const one of Object.values(node)) walk(one); };
walk(merged);
console.log(JSON.stringify({...found, ms: Number(process.hrtime.bigint() - began) / 1e6}));
"""
PLAIN = """
const fs = require('fs'), diff = require('openapi-diff'), [a, b] = process.argv.slice(2).map(name => fs.readFileSync(name, 'utf8'));
const began = process.hrtime.bigint();
diff.diffSpecs({sourceSpec: {content: a, location: 'a.json', format: 'openapi3'}, destinationSpec: {content: b, location: 'b.json', format: 'openapi3'}})
  .then(found => console.log(JSON.stringify({breaking: (found.breakingDifferences || []).length, ms: Number(process.hrtime.bigint() - began) / 1e6})));
"""
TO_YAML = "const fs = require('fs'), [a, b] = process.argv.slice(2); fs.writeFileSync(b, require('js-yaml').dump(JSON.parse(fs.readFileSync(a)), {noRefs: true}));"


def operations(spec):
    return [(path, method, item[method]) for path, item in spec["paths"].items() for method in METHODS if method in item]


def response_schemas(spec):
    """Objects that a successful answer holds at its top, and that are written at the operation or as a component."""
    found = []
    for path, method, operation in operations(spec):
        for code, response in operation["responses"].items():
            schema = response.get("content", {}).get("application/json", {}).get("schema", {})
            ref = schema.get("$ref", "")
            if code == "200" and ref.startswith("#/components/schemas/"):
                target = spec["components"]["schemas"][ref.rsplit("/", 1)[1]]
                if target.get("properties") and target.get("required"):
                    found.append(target)
    return found


def bodies(spec):
    found = []
    for path, method, operation in operations(spec):
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if schema.get("properties"):
            found.append((operation, schema))
    return found


def parameters(spec, test):
    return [(operation, p) for _, _, operation in operations(spec) for p in operation.get("parameters", []) if "name" in p and test(p)]


def plain(schema, kind):
    return [name for name, one in schema["properties"].items() if one.get("type") == kind and "enum" not in one]


def choose(rng, things):
    return rng.choice(things) if things else None


# Every planter changes the description and returns the rules of which one must be found, or None where nothing fits.
def path_gone(spec, rng):
    del spec["paths"][rng.choice(list(spec["paths"]))]
    return ["api-path-removed-without-deprecation", "api-path-removed-with-deprecation"]


def operation_gone(spec, rng):
    path, method, _ = rng.choice([one for one in operations(spec) if len(spec["paths"][one[0]]) > 1])
    del spec["paths"][path][method]
    return ["api-removed-without-deprecation", "api-removed-with-deprecation"]


def parameter_required(spec, rng):
    _, one = rng.choice(parameters(spec, lambda p: p["in"] == "query" and not p.get("required")))
    one["required"] = True
    return ["request-parameter-became-required"]


def parameter_new(spec, rng):
    _, _, operation = rng.choice(operations(spec))
    operation.setdefault("parameters", []).append({"in": "query", "name": "planted", "required": True, "schema": {"type": "string"}})
    return ["new-required-request-parameter"]


def parameter_type(spec, rng):
    _, one = rng.choice(parameters(spec, lambda p: p.get("schema", {}).get("type") == "string" and "enum" not in p["schema"]))
    one["schema"]["type"] = "boolean"
    return ["request-parameter-type-changed"]


def parameter_value_gone(spec, rng):
    _, one = rng.choice(parameters(spec, lambda p: len(p.get("schema", {}).get("enum", [])) > 1))
    one["schema"]["enum"].pop()
    return ["request-parameter-enum-value-removed"]


def parameter_became_enum(spec, rng):
    _, one = rng.choice(parameters(spec, lambda p: p.get("schema", {}).get("type") == "string" and "enum" not in p["schema"]))
    one["schema"]["enum"] = ["planted"]
    return ["request-parameter-became-enum"]


def parameter_max(spec, rng):
    _, one = rng.choice(parameters(spec, lambda p: p.get("schema", {}).get("type") == "integer"))
    one["schema"]["maximum"] = 3
    return ["request-parameter-max-set", "request-parameter-max-decreased"]


def body_required(spec, rng):
    operation, _ = rng.choice([one for one in bodies(spec) if not one[0]["requestBody"].get("required")])
    operation["requestBody"]["required"] = True
    return ["request-body-became-required"]


def body_property_required(spec, rng):
    _, schema = rng.choice([one for one in bodies(spec) if set(one[1]["properties"]) - set(one[1].get("required", []))])
    schema.setdefault("required", []).append(sorted(set(schema["properties"]) - set(schema["required"]))[0])
    return ["request-property-became-required", "request-property-became-required-with-default"]


def body_property_new(spec, rng):
    _, schema = rng.choice(bodies(spec))
    schema["properties"]["planted"] = {"type": "string"}
    schema.setdefault("required", []).append("planted")
    return ["new-required-request-property"]


def body_property_type(spec, rng):
    _, schema = rng.choice([one for one in bodies(spec) if plain(one[1], "string")])
    schema["properties"][rng.choice(plain(schema, "string"))]["type"] = "integer"
    return ["request-property-type-changed", "request-property-list-of-types-narrowed"]


def body_property_length(spec, rng):
    _, schema = rng.choice([one for one in bodies(spec) if plain(one[1], "string")])
    schema["properties"][rng.choice(plain(schema, "string"))]["maxLength"] = 1
    return ["request-property-max-length-set", "request-property-max-length-decreased"]


def body_property_null(spec, rng):
    nullable = [(schema, name) for _, schema in bodies(spec) for name, one in schema["properties"].items() if one.get("nullable")]
    found = choose(rng, nullable)
    if found is None:
        return None
    del found[0]["properties"][found[1]]["nullable"]
    return ["request-property-became-not-nullable"]


def body_gone(spec, rng):
    operation, _ = rng.choice(bodies(spec))
    del operation["requestBody"]
    return ["request-body-removed"]


def body_media_gone(spec, rng):
    operation, _ = rng.choice(bodies(spec))
    content = operation["requestBody"]["content"]
    content["application/xml"] = content.pop("application/json")
    return ["request-body-media-type-removed"]


def answer_gone(spec, rng):
    _, _, operation = rng.choice([one for one in operations(spec) if "200" in one[2]["responses"]])
    operation["responses"]["202"] = operation["responses"].pop("200")
    return ["response-success-status-removed"]


def answer_media_gone(spec, rng):
    found = [one[2]["responses"]["200"] for one in operations(spec) if one[2]["responses"].get("200", {}).get("content")]
    rng.choice(found)["content"] = {"application/planted": {}}
    return ["response-media-type-removed"]


def answer_property_gone(spec, rng):
    schema = rng.choice(response_schemas(spec))
    name = rng.choice([name for name in schema["required"] if name in schema["properties"]])
    del schema["properties"][name]
    schema["required"].remove(name)
    return ["response-required-property-removed"]


def answer_property_optional(spec, rng):
    schema = rng.choice(response_schemas(spec))
    schema["required"].remove(rng.choice([name for name in schema["required"] if name in schema["properties"]]))
    return ["response-property-became-optional"]


def answer_property_type(spec, rng):
    schema = rng.choice([one for one in response_schemas(spec) if plain(one, "string")])
    schema["properties"][rng.choice(plain(schema, "string"))]["type"] = "integer"
    return ["response-property-type-changed"]


def answer_property_null(spec, rng):
    schema = rng.choice([one for one in response_schemas(spec) if any(not one["properties"][name].get("nullable") for name in plain(one, "string"))])
    name = rng.choice([name for name in plain(schema, "string") if not schema["properties"][name].get("nullable")])
    schema["properties"][name]["nullable"] = True
    return ["response-property-became-nullable"]


def answer_items_type(spec, rng):
    found = [one for schema in response_schemas(spec) for one in schema["properties"].values() if one.get("type") == "array" and one.get("items", {}).get("type") == "string"]
    rng.choice(found)["items"]["type"] = "boolean"
    return ["response-property-type-changed"]


def answer_value_new(spec, rng):
    found = [one for schema in response_schemas(spec) for one in schema["properties"].values() if one.get("enum") and "planted" not in one["enum"]]
    rng.choice(found)["enum"].append("planted")
    return ["response-property-enum-value-added"]


def security_asked(spec, rng):
    _, _, operation = rng.choice(operations(spec))
    spec["components"].setdefault("securitySchemes", {})["planted"] = {"type": "http", "scheme": "basic"}
    operation["security"] = [{"planted": []}]
    return ["api-security-added"]


BREAKS = [path_gone, operation_gone, parameter_required, parameter_new, parameter_type, parameter_value_gone, parameter_became_enum,
          parameter_max, body_required, body_property_required, body_property_new, body_property_type, body_property_length,
          body_property_null, body_gone, body_media_gone, answer_gone, answer_media_gone, answer_property_gone,
          answer_property_optional, answer_property_type, answer_property_null, answer_items_type, answer_value_new, security_asked]
# Those that only make it risky: a client may cope.
RISKY = {answer_value_new}


def words(spec, rng):
    for _, _, operation in operations(spec):
        operation["description"] = operation["summary"] = "planted"


def order(spec, rng):
    shuffled = list(spec["paths"].items())
    rng.shuffle(shuffled)
    spec["paths"] = dict(shuffled)
    for schema in spec["components"]["schemas"].values():
        if "properties" in schema:
            schema["properties"] = dict(reversed(schema["properties"].items()))


def parameter_names(spec, rng):
    for path in rng.sample([path for path in spec["paths"] if "{owner}" in path], 20):
        item = spec["paths"].pop(path)
        for method in METHODS:
            for one in item.get(method, {}).get("parameters", []):
                if one.get("$ref") == "#/components/parameters/owner":
                    one.clear()
                    one.update({**copy.deepcopy(spec["components"]["parameters"]["owner"]), "name": "planted"})
        spec["paths"][path.replace("{owner}", "{planted}")] = item


def inlined(spec, rng):
    names = list(spec["components"]["schemas"])
    for _, _, operation in rng.sample(operations(spec), 30):
        for response in operation["responses"].values():
            for media in response.get("content", {}).values():
                ref = media.get("schema", {}).get("$ref", "")
                if ref.startswith("#/components/schemas/"):
                    media["schema"] = copy.deepcopy(spec["components"]["schemas"][ref.rsplit("/", 1)[1]])
    assert names


def wrapped(spec, rng):
    for schema in response_schemas(spec)[:200]:
        body = copy.deepcopy(schema)
        schema.clear()
        schema["allOf"] = [body]


def split(spec, rng):
    for schema in response_schemas(spec)[:50]:
        if "allOf" not in schema and "oneOf" not in schema and "anyOf" not in schema:
            properties, required = schema.pop("properties"), schema.pop("required")
            schema["allOf"] = [{"type": "object", "properties": properties}, {"required": required}]


def optional_parameter(spec, rng):
    for _, _, operation in rng.sample(operations(spec), 40):
        operation.setdefault("parameters", []).append({"in": "query", "name": "planted", "schema": {"type": "string"}})


def answer_grows(spec, rng):
    for schema in response_schemas(spec)[:100]:
        schema["properties"]["planted"] = {"type": "string"}


def new_path(spec, rng):
    spec["paths"]["/planted"] = {"get": {"responses": {"200": {"description": "planted"}}}}


def wider_request(spec, rng):
    for _, schema in rng.sample(bodies(spec), 20):
        schema.pop("required", None)


def renamed_component(spec, rng):
    """Components keep what they say and get other names."""
    text = json.dumps(spec)
    for name in rng.sample([name for name in spec["components"]["schemas"]], 20):
        text = text.replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/{name}-planted"')
    changed = json.loads(text)
    used = {name: name + "-planted" for name in changed["components"]["schemas"] if f'"#/components/schemas/{name}-planted"' in text}
    changed["components"]["schemas"] = {used.get(name, name): one for name, one in changed["components"]["schemas"].items()}
    spec.clear()
    spec.update(changed)


def default_said(spec, rng):
    for _, one in parameters(spec, lambda p: p["in"] == "query"):
        one.setdefault("required", False)
        one.setdefault("style", "form")
        one.setdefault("explode", True)


HARMLESS = [words, order, parameter_names, inlined, wrapped, split, optional_parameter, answer_grows, new_path, wider_request,
            renamed_component, default_said]


def setup():
    if not os.path.exists(os.path.join(PEERS, "node_modules", "openapi-diff")):
        os.makedirs(PEERS, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", PEERS, *PACKAGES], check=True)
    for name, text in [("smart.js", SMART), ("plain.js", PLAIN), ("yaml.js", TO_YAML)]:
        with open(os.path.join(PEERS, name), "w") as file:
            file.write(text)
    side_by_side.build("--package", "holdpoint-inspect", "--example", "compat_openapi")
    return os.path.join(PEERS, "node_modules", "@octokit", "openapi", "generated")


def ours(*args):
    ran = subprocess.run([OURS, *args], capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit(ran.stderr)
    first, *rest = [json.loads(line) for line in ran.stdout.splitlines()]
    return first, rest


def node(script, *args):
    """A peer's answer, or why there is none."""
    try:
        ran = subprocess.run(["node", "--max-old-space-size=6000", script, *args], capture_output=True, text=True, cwd=PEERS, timeout=300)
    except subprocess.TimeoutExpired:
        return None
    try:
        return json.loads(ran.stdout.splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return None


def planted(folder, base, path, copies, results):
    # A tool's noise is what it says is breaking in a harmless copy. The peers look at fewer copies: they take seconds each.
    found = {"ours": 0, "api-smart-diff": 0, "openapi-diff": 0}
    noise = dict.fromkeys(found, 0)
    asked, peers_asked, quiet, peers_quiet, missed, noisy = 0, 0, 0, 0, [], []
    for planter in BREAKS + HARMLESS:
        harmless = planter in HARMLESS
        for number in range(copies):
            spec = json.loads(base)
            rules = planter(spec, random.Random(f"{planter.__name__} {number}"))
            if not harmless and rules is None:
                continue
            revision = os.path.join(folder, "revision.json")
            with open(revision, "w") as file:
                json.dump(spec, file)
            head, findings = ours(path, revision, "--findings")
            expected = "risky" if planter in RISKY else "breaking"
            if harmless:
                quiet += 1
                loud = [one for one in findings if one["severity"] == "breaking" or one["severity"] == "risky"]
                noise["ours"] += bool(loud)
                noisy += [f"{planter.__name__}: {loud[0]['rule']}"] if loud else []
            else:
                asked += 1
                hit = any(one["rule"] in rules and one["severity"] == expected for one in findings)
                found["ours"] += hit
                missed += [] if hit else [planter.__name__]
            if number:
                continue
            peers_asked, peers_quiet = peers_asked + (not harmless), peers_quiet + harmless
            for name, script in [("api-smart-diff", "smart.js"), ("openapi-diff", "plain.js")]:
                said = node(script, path, revision)
                says = bool(said and said["breaking"])
                (noise if harmless else found)[name] += says
    results.add(job="compat-openapi-planted", kinds=len(BREAKS), copies=asked, found=found["ours"], missed=missed, peers_copies=peers_asked,
                peers_found={name: found[name] for name in found if name != "ours"})
    results.add(job="compat-openapi-noise", kinds=len(HARMLESS), copies=quiet, noisy=noise["ours"], which=noisy, peers_copies=peers_quiet,
                peers_noisy={name: noise[name] for name in noise if name != "ours"})


def timed(folder, generated, rounds, results):
    changed = os.path.join(folder, "changed.json")
    first, second = os.path.join(generated, "ghes-3.17.json"), os.path.join(generated, "ghes-3.18.json")
    spec = json.load(open(first))
    for planter in BREAKS:
        planter(spec, random.Random(planter.__name__))
    with open(changed, "w") as file:
        json.dump(spec, file)
    yaml = [os.path.join(folder, "a.yaml"), os.path.join(folder, "b.yaml")]
    for source, target in zip([first, second], yaml):
        subprocess.run(["node", "yaml.js", source, target], cwd=PEERS, check=True)
    for name, pair in [("same", [first, first]), ("next", [first, second]), ("25-breaks", [first, changed]), ("yaml", yaml)]:
        milliseconds = {"ours": [], "api-smart-diff": [], "openapi-diff": []}
        wall = []
        for number in range(rounds):
            began = time.perf_counter()
            head, _ = ours(*pair)
            wall.append((time.perf_counter() - began) * 1e3)
            milliseconds["ours"].append(head["all_ms"])
            # One round of the peers for three of ours: they take seconds.
            if name != "yaml" and number % 3 == 0:
                for peer, script in [("api-smart-diff", "smart.js"), ("openapi-diff", "plain.js")]:
                    said = node(script, *pair)
                    if said:
                        milliseconds[peer].append(said["ms"])
        peers = {peer: side_by_side.middle(times) if times else None for peer, times in milliseconds.items() if peer != "ours"}
        fastest = min((ms for ms in peers.values() if ms), default=None)
        median = side_by_side.middle(milliseconds["ours"])
        results.add(job=f"compat-openapi-{name}", unit="ms", ours=median, ours_process=side_by_side.middle(wall), rounds=rounds,
                    megabytes=round(sum(os.path.getsize(one) for one in pair) / 1e6, 1), verdict=head["verdict"], peers=peers,
                    ratio_to_fastest_peer=round(fastest / median, 1) if fastest else None, limit_ms=1000, within_limit=median <= 1000)


def main():
    rounds, copies = [int(one) for one in (sys.argv[1:] + ["9", "4"][len(sys.argv) - 1:])[:2]]
    generated = setup()
    results = side_by_side.Results(__file__)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(generated, "ghes-3.17.json")
        with open(path) as file:
            base = file.read()
        planted(folder, base, path, copies, results)
        timed(folder, generated, rounds, results)
    results.write()


main()
