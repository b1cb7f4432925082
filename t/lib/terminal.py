# Plays a person at a terminal: runs a command on a pseudo-terminal, types the keys of each step
# when what it waits for has been shown, and prints all that was shown.
#
#   python3 terminal.py COMMAND... < steps      a step a line: JSON [wait-for regex, keys]
import json, os, pty, re, select, sys, time

steps = [json.loads(line) for line in sys.stdin if line.strip()]
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execv(sys.argv[1], sys.argv[1:])
shown, at, deadline = "", 0, time.monotonic() + 120


def more(seconds):
    global shown
    if not select.select([fd], [], [], seconds)[0]:
        return True
    try:
        part = os.read(fd, 65536)
    except OSError:
        return False
    shown += part.decode("utf-8", "replace")
    return bool(part)


alive = True
for wait, keys in steps:
    while alive and time.monotonic() < deadline:
        found = re.search(wait, shown[at:])
        if found:
            at += found.end()
            os.write(fd, keys.encode())
            break
        alive = more(0.1)
while alive and time.monotonic() < deadline:
    alive = more(0.1)
if alive:
    os.kill(pid, 9)
status = os.waitpid(pid, 0)[1]
sys.stdout.write(shown + "\nexit %d\n" % (os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)))
