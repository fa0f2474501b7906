"""Run a command again and again, one line of input each, from a process as small as Python gets.

    python -I -S once.py RUNS LINE COMMAND...

Print the least seconds, and the least memory in bytes. A process counts as its own what its parent held when it began:
measured from a large one, all are large.
"""

import os
import sys
import time

runs, line, *command = sys.argv[1:]
found = []
for _ in range(int(runs)):
    reader, writer = os.pipe()
    os.write(writer, line.encode())
    os.close(writer)
    start = time.perf_counter()
    actions = [(os.POSIX_SPAWN_DUP2, reader, 0), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, status, used = os.wait4(child, 0)
    found.append((time.perf_counter() - start, used.ru_maxrss * 1024))
    os.close(reader)
    if status:
        sys.exit(f"{command} failed")
print(*map(min, zip(*found, strict=True)))
