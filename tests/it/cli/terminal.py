"""Runs a program on a terminal of 30 rows and 100 columns and does what its standard input says, line by line.

expect TEXT: waits until TEXT has come since the last step; send TEXT: types it (escapes such as \\r are understood);
keys TEXT: types it until the program ends, as detach keys make it; resize ROWS COLUMNS. At the end waits for the
program, prints all that it wrote and exits as it did; 99 when a text does not come or the program does not end in 60 s.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

LIMIT = 60


def resize(fd, rows, columns):
    """Gives the terminal a size, whereupon the kernel sends SIGWINCH."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))


def read(fd, deadline):
    """Returns the next bytes; nothing when the program has closed its terminal."""
    if not select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
        raise TimeoutError
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""


def type_to_the_end(fd, keys, deadline):
    """Types keys at a human's pace, again and again until the program ends; returns what it wrote meanwhile."""
    seen = b""
    while True:
        for key in keys:
            os.write(fd, bytes([key]))
            # Two keys that are read at once are no detach keys, and nothing tells when one has been read.
            time.sleep(0.05)
        try:
            while more := read(fd, min(deadline, time.monotonic() + 1)):
                seen += more
            return seen
        except TimeoutError:
            if time.monotonic() > deadline:
                raise


def typed(text):
    """Returns the bytes that a text with escapes stands for."""
    return text.encode().decode("unicode_escape").encode("latin-1")


def main():
    """Does the steps."""
    steps = [line.split(" ", 1) for line in sys.stdin.read().splitlines()]
    pid, fd = pty.fork()
    if pid == 0:
        resize(0, 30, 100)
        os.execvp(sys.argv[1], sys.argv[1:])
    seen, since, step = b"", 0, None
    try:
        for step in steps + [["end", ""]]:
            kind, text = step
            deadline = time.monotonic() + LIMIT
            if kind == "send":
                os.write(fd, typed(text))
            elif kind == "keys":
                seen += type_to_the_end(fd, typed(text), deadline)
            elif kind == "resize":
                resize(fd, *text.split())
            elif kind == "expect":
                while (at := seen.find(text.encode(), since)) < 0:
                    more = read(fd, deadline)
                    if not more:
                        raise TimeoutError
                    seen += more
                since = at + len(text)
            else:
                while more := read(fd, deadline):
                    seen += more
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except TimeoutError:
        print("not reached:", step, file=sys.stderr)
        os.kill(pid, 9)
        code = 99
    sys.stdout.write(seen.decode(errors="replace"))
    sys.exit(code)


main()
