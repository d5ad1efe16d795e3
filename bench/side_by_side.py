"""What every job needs: a PostgreSQL of its own, free ports, the commit, medians, and the file of results.

A job prints one line of JSON per figure and keeps them in RESULTS.json beside itself, with commit id and load."""
import glob, http.client, json, os, pwd, socket, statistics, subprocess, sys, time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RELEASE = os.path.join(TOP, "target", "release")
DURABILITY = {"sqlite": "WAL, synchronous FULL", "postgres": "fsync on, synchronous_commit on"}


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Postgres:
    """A server in `folder` with fsync on; ended by `stop`."""

    def __init__(self, folder):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))
        if not found:
            sys.exit("PostgreSQL is missing: expected /usr/lib/postgresql/*/bin")
        self.bin, self.port, user = found[-1], free_port(), {}
        os.makedirs(folder)
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        data = os.path.join(folder, "data")
        quiet = dict(cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user)
        subprocess.run([self.bin + "/initdb", "-D", data, "-A", "trust", "-U", "postgres", "--locale=C", "-E", "UTF8"], check=True, **quiet)
        durable = ["-c", "fsync=on", "-c", "synchronous_commit=on"]
        self.server = subprocess.Popen([self.bin + "/postgres", "-D", data, "-p", str(self.port), "-h", "127.0.0.1", "-k", "", *durable], **quiet)
        for _ in range(100):
            if subprocess.run([self.bin + "/pg_isready", "-h", "127.0.0.1", "-p", str(self.port)], stdout=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.1)
        sys.exit("PostgreSQL does not start")

    def database(self, name):
        """Makes an empty database; returns its URL without the scheme."""
        subprocess.run([self.bin + "/createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name], check=True)
        return f"postgres@127.0.0.1:{self.port}/{name}"

    def stop(self):
        self.server.terminate()
        self.server.wait()


def build(*targets):
    """Builds release programs: `build("--package", P, "--example", E)`."""
    subprocess.run(["cargo", "build", "--release", "--quiet", *targets], cwd=TOP, check=True)


def peer(name, *packages):
    """A Python environment for a peer, in the ignored folder bench/peers; returns its interpreter."""
    home = os.path.join(TOP, "bench", "peers", name)
    python = os.path.join(home, "bin", "python")
    if not os.path.exists(os.path.join(home, "installed")):
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        open(os.path.join(home, "installed"), "w").close()
    return python


def commit():
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=TOP, capture_output=True, text=True, check=True).stdout.strip()


def last_json(command, **more):
    """Runs a program; its last line on standard output is JSON."""
    ran = subprocess.run(command, capture_output=True, text=True, **more)
    if ran.returncode != 0:
        sys.exit(f"{command[0]} ended with {ran.returncode}:\n{ran.stderr[-3000:]}")
    return json.loads(ran.stdout.splitlines()[-1])


class Results:
    """Lines of a job: printed at once, written at the end."""

    def __init__(self, script):
        self.path = os.path.join(os.path.dirname(os.path.abspath(script)), "RESULTS.json")
        self.lines, self.commit = [], commit()

    def add(self, **line):
        line = {**line, "commit": self.commit, "load": round(os.getloadavg()[0], 1)}
        self.lines.append(line)
        print(json.dumps(line), flush=True)

    def write(self):
        with open(self.path, "w") as file:
            json.dump(self.lines, file, indent=1)
            file.write("\n")


def middle(values):
    return round(statistics.median(values), 3)


def percentile(values, share):
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)


class Server:
    """`holdpoint serve` on a free port; `first` is the one-time link where nobody has an account."""

    def __init__(self, data, *args):
        self.log = open(os.path.join(data + ".log"), "w")
        began = time.perf_counter()
        program = os.path.join(RELEASE, "holdpoint")
        command = [program, "serve", "--data", data, "--listen", "127.0.0.1:0", "--announce", "json", *args]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        said = json.loads(self.process.stdout.readline())
        self.host = said["listening"].removeprefix("http://")
        self.first = said["setup"]
        probe = Client(self.host)
        while probe.ask("GET", "/readyz")[0] != 200:
            time.sleep(0.002)
        self.seconds_to_ready = time.perf_counter() - began

    def memory_mib(self):
        """Resident memory of the process."""
        with open(f"/proc/{self.process.pid}/status") as file:
            line = next(line for line in file if line.startswith("VmRSS"))
        return round(int(line.split()[1]) / 1024, 1)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


class Client:
    """One kept connection with a session or a token."""

    def __init__(self, host, token=None):
        self.host, self.token, self.cookie, self.csrf = host, token, None, None
        self.connection = http.client.HTTPConnection(host, timeout=60)

    def ask(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.cookie:
            headers["Cookie"] = self.cookie
        if self.csrf and method != "GET":
            headers["X-Holdpoint-CSRF"] = self.csrf
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        if method != "GET":
            headers.setdefault("Idempotency-Key", os.urandom(12).hex())
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        data = answer.read()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                self.cookie = value.split(";")[0]
        return answer.status, data, dict(answer.getheaders())

    def ok(self, *args, **more):
        status, data, _ = self.ask(*args, **more)
        if status >= 300:
            sys.exit(f"{args[:2]} answered {status}: {data[:1000]!r}")
        return json.loads(data) if data else None

    def set_up(self, link, password="correct horse battery staple"):
        self.csrf = self.ok("POST", "/v1/setup", {"token": link.split("#")[1], "password": password})["csrf"]
