"""Calls a function's handler for each event on standard input."""

import base64
import contextlib
import io
import json
import sys
import traceback
from pathlib import Path

sys.path[:0] = [sys.argv[1]]
out, sys.stdout = sys.stdout, sys.stderr


class Context:
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    memory_limit_in_mb = "512"

    def get_remaining_time_in_millis(self):
        return 3000


try:
    from lambda_function import handler
except BaseException as error:
    failure = str(error)

    def handler(event, context):
        raise RuntimeError(failure)


out.write("ready\n")
out.flush()
for line in sys.stdin:
    log, error = io.StringIO(), False
    with contextlib.redirect_stderr(log):
        try:
            reply = handler(json.loads(base64.b64decode(line)), Context())
        except BaseException as raised:
            error, reply = True, {"errorType": type(raised).__name__, "errorMessage": str(raised)}
            traceback.print_exc(file=log)
    peak = int(
        next(one.split()[1] for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM"))
    )
    said = {"error": error, "peak": peak // 1024, "log": log.getvalue()}
    out.write(json.dumps({**said, "reply": base64.b64encode(json.dumps(reply).encode()).decode()}) + "\n")
    out.flush()
