"""Peer: DBOS. A workflow of five no-op steps, each checkpointed in its system database.

`dbos_peer.py URL COUNT IN_FLIGHT`; prints one line of JSON. The client's threads call the workflow and wait for it."""
import importlib.metadata, json, sys, time
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS, DBOSConfig

url, count, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
config: DBOSConfig = dict(name="bench", system_database_url=url, log_level="ERROR", run_admin_server=False)
DBOS(config=config)
first = {}


@DBOS.step()
def stage(number: int, key: str) -> int:
    if number == 0:
        first[key] = time.perf_counter()
    return number


@DBOS.workflow()
def pipeline(key: str) -> int:
    return sum(stage(number, key) for number in range(5))


def one(key):
    began = time.perf_counter()
    if pipeline(key) != 10:
        raise SystemExit("the workflow did not do its work")
    return (first[key] - began) * 1000


DBOS.launch()
pipeline("warm")
began = time.perf_counter()
with ThreadPoolExecutor(in_flight) as threads:
    waited = sorted(threads.map(one, [str(number) for number in range(count)]))
seconds = time.perf_counter() - began
done = len(DBOS.list_workflows(status="SUCCESS"))
DBOS.destroy()
if done < count:
    raise SystemExit(f"{done} of {count} workflows are recorded as done")
print(json.dumps({"pipelines_per_s": count / seconds, "first_stage_p50_ms": waited[len(waited) // 2],
                  "peer_name": "dbos " + importlib.metadata.version("dbos")}))
