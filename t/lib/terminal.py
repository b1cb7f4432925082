# Plays a person at a terminal: runs a command on a pseudo-terminal, types the keys of each step
# when what it waits for has been shown, and prints all that was shown.
#
#   python3 terminal.py COMMAND... < steps      a step a line: JSON [wait-for regex, keys]
#
# TERMINAL_SIZE=COLUMNSxLINES: how large it is; a program that draws is asked for nothing of what it moves and
# colours: what is waited for is looked for in the letters alone.
import fcntl, json, os, pty, re, select, struct, sys, termios, time

steps = [json.loads(line) for line in sys.stdin if line.strip()]
size = os.environ.get("TERMINAL_SIZE")
pid, fd = pty.fork()
if pid == 0:
    if size:
        columns, lines = map(int, size.split("x"))
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
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
    text = part.decode("utf-8", "replace")
    shown += re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[()].|.)", "", text) if size else text
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
