#!/usr/bin/env python3
"""Tries every form of forms.sql on real servers and writes measured.json: locks, new files, rows read.

`measure.py 13=PORT 14=PORT …`: servers on 127.0.0.1 that let user postgres in. Needs psql. `alone` forms cannot run in an
open transaction: they are watched while they wait for a lock that is held against them, so only the first lock they ask
for is seen."""
import json, os, re, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
MODES = ["AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock",
         "ExclusiveLock", "AccessExclusiveLock"]
WORDS = {mode: re.sub(r"(?<!^)([A-Z])", r" \1", mode[:-4]).upper() for mode in MODES}
BEFORE = """CREATE TABLE before AS SELECT oid, relname::text, relfilenode FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm') AND relname <> 'before';"""
LOCKS = """SELECT 'lock', b.relname, l.mode FROM pg_locks l JOIN before b ON b.oid = l.relation
WHERE l.locktype = 'relation' AND l.pid = %s ORDER BY 2, 3;"""
FILES = "SELECT 'rewrite', b.relname FROM before b JOIN pg_class c USING (oid) WHERE c.relfilenode <> b.relfilenode ORDER BY 2;"
READ = "SELECT 'scan', relname FROM before WHERE pg_stat_get_xact_tuples_returned(oid) > 0 ORDER BY 2;"


def forms():
    found = []
    with open(os.path.join(HERE, "forms.sql")) as file:
        for line in file:
            head = re.match(r"-- form (\S+)(.*)", line)
            if head:
                found.append([head[1], head[2].split(), ""])
            elif found:
                found[-1][2] += line
    return found


def psql(port, database, sql):
    command = ["psql", "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-d", database, "-AtqX", "-v", "ON_ERROR_STOP=1"]
    done = subprocess.run(command, input=sql, capture_output=True, text=True)
    return (done.stdout, None) if done.returncode == 0 else ("", done.stderr)


def session(port, database):
    command = ["psql", "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-d", database, "-AtqX"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def say(process, sql):
    process.stdin.write(sql + "\n")
    process.stdin.flush()


def strongest(output):
    locks = {}
    for line in output.splitlines():
        kind, table, mode = line.split("|")
        if kind == "lock" and (table not in locks or MODES.index(mode) > MODES.index(locks[table])):
            locks[table] = mode
    return {table: WORDS[mode] for table, mode in locks.items()}


def alone(port, database, sql):
    table = "part" if "part" in sql else "t"
    holder, waiter = session(port, database), session(port, database)
    say(holder, f"BEGIN; LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE; SELECT 1;")
    holder.stdout.readline()
    say(waiter, "SELECT pg_backend_pid();")
    pid = waiter.stdout.readline().strip()
    say(waiter, sql)
    locks = {}
    for _ in range(100):
        waiting, _ = psql(port, database, f"SELECT count(*) FROM pg_locks WHERE pid = {pid} AND NOT granted AND locktype = 'relation'")
        if waiting.strip() != "0":
            locks = strongest(psql(port, database, LOCKS % pid)[0])
            break
        time.sleep(0.05)
    psql(port, database, f"SELECT pg_cancel_backend({pid})")
    for process in (waiter, holder):
        process.communicate()
    psql(port, database, "DROP INDEX IF EXISTS x")
    return {"locks": locks}


def open_transaction(port, database, sql):
    # A zone other than UTC: in UTC timestamp and timestamptz are the same bytes.
    output, error = psql(port, database, "SET timezone = 'Europe/Berlin'; SET client_min_messages = error; BEGIN; " + sql + ";"
                         + LOCKS % "pg_backend_pid()" + FILES + READ + "ROLLBACK;")
    if error:
        return {"error": error.splitlines()[0].split("ERROR:")[-1].strip()}
    lines = [line.split("|") for line in output.splitlines()]
    result = {"locks": strongest("\n".join("|".join(line) for line in lines if line[0] == "lock"))}
    for kind in ("rewrite", "scan"):
        tables = [line[1] for line in lines if line[0] == kind]
        if tables:
            result[kind + "s"] = tables
    return result


def main():
    with open(os.path.join(HERE, "setup.sql")) as file:
        setup = file.read()
    measured = {}
    for version, port in (argument.split("=") for argument in sys.argv[1:]):
        psql(port, "postgres", "SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''")
        for database in ("measured", "empty"):
            psql(port, "postgres", f"DROP DATABASE IF EXISTS {database}")
            psql(port, "postgres", f"CREATE DATABASE {database}")
            _, error = psql(port, database, setup + ("TRUNCATE t CASCADE;" if database == "empty" else "") + BEFORE)
            if error:
                sys.exit(f"PostgreSQL {version}: {error}")
        for name, words, sql in forms():
            since = int(words[words.index("since") + 1]) if "since" in words else 13
            if int(version) < since and "alone" in words:
                result = {"error": "syntax error"}
            elif "alone" in words:
                result = alone(port, "measured", sql)
            else:
                result = open_transaction(port, "empty" if "empty" in words else "measured", sql)
            measured.setdefault(name, {})[version] = result
        for database in ("measured", "empty"):
            psql(port, "postgres", f"DROP DATABASE {database}")
        psql(port, "postgres", "DROP TABLESPACE elsewhere")
    lines = []
    for name, results in measured.items():
        rows = ",\n".join(f"  {json.dumps(version)}: {json.dumps(result)}" for version, result in results.items())
        lines.append(f" {json.dumps(name)}: {{\n{rows}\n }}")
    with open(os.path.join(HERE, "measured.json"), "w") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


main()
