# What stands in a home: for each line that is read, {"what it says": how often} as JSON. Names that are made
# anew each time, and moments, are left out of it.
import collections, json, os, re, sqlite3, sys, time

home = sys.argv[1]
db = sqlite3.connect(home + "/data/librefang-c.db", isolation_level=None)
# found anew when they are lost, or sums of what is counted; moments only
LEFT = {"meta", "usage_sum", "usage_latency", "usage_speed", "provider_rest", "event", "budget_tokens"}
FOUND_OUT = {"auth", "reachable", "error", "live"}       # by a call that is made meanwhile
CATCHES_UP = {"searched", "remembered"}                  # when the store is quiet
MOMENT = re.compile(r"(_ms|_at|^ts|^timestamp|hash|^seq|^id|_id|^key|^epoch|_ns|^rowid)$")
KEPT = {"kv": {"key"}, "model_alias": {"id"}, "upload": set(), "message": {"seq"}, "provider_state": {"key_set"}}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LONG = re.compile(r"(?<![a-zA-Z0-9])([0-9a-f]{8,}|1[0-9]{12,}|\d{4}-\d\d-\d\d[T ][0-9:.]+Z?)(?![a-zA-Z0-9])")
TOOK = re.compile(r'"((?:\w*latency\w*|\w*_ms|duration\w*|took\w*))": ?[0-9.]+')
NAMED = re.compile(r"\.(tmp|new|part)[-.\w]*$|tmp\.\w+")


def plain(v):
    return TOOK.sub(r'"\1":T', LONG.sub("L", UUID.sub("U", v))) if isinstance(v, str) else v if v is None or isinstance(v, int) else "?"


def tables():
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if name in LEFT or name.startswith(("search_", "memory_text", "sqlite_")):
            continue
        yield name, [c[1] for c in db.execute("PRAGMA table_info(%s)" % name)
                     if c[1] in KEPT.get(name, ()) or not (MOMENT.search(c[1]) or name == "provider_state" and c[1] in FOUND_OUT
                                                                    or name == "session" and c[1] in CATCHES_UP)]


shapes = list(tables())


def goes(path):
    try:
        while time.time() - os.stat(path).st_mtime < 2:
            time.sleep(0.02)
        return False
    except OSError:
        return True


def look():
    out = collections.Counter()
    db.execute("BEGIN")
    for name, cols in shapes:
        names = ", ".join(cols) if cols else "1"
        # vectors are asked for when it is quiet, whatever was asked before
        mine = "WHERE channel IS NOT 'embedding'" if name == "usage_event" else ""
        for *row, n in db.execute("SELECT %s, count(*) FROM %s %s GROUP BY %s" % (names, name, mine, names)):
            out["%s: %s" % (name, json.dumps([plain(v) for v in row]))] += n
    db.execute("COMMIT")
    for top, dirs, files in os.walk(home):
        if top == home:
            dirs[:] = [d for d in dirs if d not in ("logs", "run")]
        for f in files:
            path = os.path.join(top, f)
            if f == "daemon.json" or "/backups" in top or re.search(r"daemon\.json\.|librefang-c\.db|\.lock$|\.pid$|\.sock$", f):
                continue
            try:
                with open(path, "rb") as h:
                    text = h.read(4096).decode("utf-8", "replace")
            except OSError:
                continue
            if f.startswith(".lf-tmp-") and goes(path):
                continue        # daemon.json, being written
            if f.endswith((".enc", ".key")):
                text = "sealed"
            if f == "config.toml":
                text = re.sub(r"\n+", "\n", text)
            short = path[len(home):]
            out["file %s: %s" % (plain(short), plain(text))] += 1
    return out


for line in sys.stdin:
    what = line.strip()
    if what == "open":
        turns, holds = db.execute("SELECT (SELECT count(*) FROM turn WHERE ended_ms IS NULL), (SELECT count(*) FROM budget_hold)").fetchone()
        print(json.dumps({"turns": turns, "holds": holds}), flush=True)
    elif what == "forget":
        db.execute("DELETE FROM template_version")
        print("{}", flush=True)
    elif what == "sound":
        print(json.dumps({"sound": str(db.execute("PRAGMA integrity_check").fetchall()) + str(db.execute("PRAGMA foreign_key_check").fetchall())}), flush=True)
    else:
        print(json.dumps(look()), flush=True)
