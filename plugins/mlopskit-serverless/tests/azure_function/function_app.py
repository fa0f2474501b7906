"""A function that does what it is asked for: says what it got and where it is, writes, fails, ends, hangs, swells."""

import json
import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="{*path}", methods=["GET", "POST", "HEAD"])
def answer(req: func.HttpRequest) -> func.HttpResponse:
    sys.stdout.write("on standard output\n")
    said = WHAT.get(urlsplit(req.url).path, got)(req)
    return func.HttpResponse(json.dumps(said), headers={"Content-Type": "application/json", "X-One": "1"})


def got(req):
    body = req.get_body()
    return {
        "method": req.method,
        "url": req.url,
        "params": dict(req.params),
        "route": dict(req.route_params),
        "headers": dict(req.headers),
        "bytes": len(body),
    }


def where(req):
    said = {name: os.environ.get(name) for name in ("HOME", "LC_ALL", "FUNCTIONS_WORKER_RUNTIME", "OURS")}
    return {**said, "folder": str(Path.cwd()), "packages": [path for path in sys.path if "-packages" in path]}


def write(req):
    return [written(folder) for folder in (Path.cwd(), Path(os.environ["TMPDIR"]))]


def written(folder):
    try:
        (folder / "written").write_text("x")
    except OSError as error:
        return type(error).__name__
    return "written"


def fail(req):
    raise ValueError("it was told to fail")


def leave(req):
    sys.stderr.write("going\n")
    sys.stderr.flush()
    os._exit(3)


def hang(req):
    time.sleep(600)


def swell(req):
    held = []
    while True:
        held.append(b"x" * (1 << 20))


def meddle(req):
    os.write(int(sys.argv[-1]), {"meddle": b"1\n", "half": b'{"status": 200}\n'}[urlsplit(req.url).path[1:]])


WHAT = {
    "/where": where,
    "/write": write,
    "/fail": fail,
    "/leave": leave,
    "/hang": hang,
    "/swell": swell,
    "/meddle": meddle,
    "/half": meddle,
}
