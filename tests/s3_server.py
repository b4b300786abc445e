"""An S3 server on loopback: moto's, with faults on demand.

Takes a folder, makes the bucket `logs`, writes its port to the file `port` there, and ends with its standard input. With
the files `certificate` and `key` in the folder it speaks TLS.
Each request is a line of the file `requests`: method, path and query, status. While one of these files is in the
folder, a put of a new commit (a name in `_delta_log`)

    hold      waits, and is carried out once the file is gone
    drop      waits, and is refused with 503 once the file is gone, without being carried out
    lose      is carried out, but answered with 500; once, then the file is gone

and while `uncondition` is there, any put of a commit is carried out whatever its condition.
"""

import os
import sys
import threading
import time

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import Client

folder = sys.argv[1]
moto = DomainDispatcherApplication(create_backend_app)
# moto looks whether a name is there and stores it in two steps; S3 does both at once.
one_at_a_time = threading.Lock()
stored = set()


def path(name):
    return os.path.join(folder, name)


def wait_while(name):
    with open(path("waiting"), "a") as waiting:
        waiting.write(name + "\n")
    while os.path.exists(path(name)):
        time.sleep(0.01)


def answer(environ, start_response, fault):
    statuses = []

    def start(status, headers, exc_info=None):
        statuses.append(status)
        return start_response("500 Internal Server Error" if fault == "lose" else status, headers, exc_info)

    with one_at_a_time:
        body = list(moto(environ, start))
        if environ["REQUEST_METHOD"] == "PUT" and statuses[0].startswith("200"):
            stored.add(environ["PATH_INFO"])
    query = "?" + environ["QUERY_STRING"] if environ["QUERY_STRING"] else ""
    with open(path("requests"), "a") as requests:
        requests.write(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}{query} {statuses[0][:3]}\n")
    return body


def application(environ, start_response):
    fault = None
    if environ["REQUEST_METHOD"] == "PUT" and "/_delta_log/" in environ["PATH_INFO"]:
        if os.path.exists(path("uncondition")):
            environ.pop("HTTP_IF_NONE_MATCH", None)
        if environ["PATH_INFO"] not in stored:
            if os.path.exists(path("drop")):
                wait_while("drop")
                start_response("503 Service Unavailable", [("Content-Length", "0")])
                return []
            if os.path.exists(path("hold")):
                wait_while("hold")
            if os.path.exists(path("lose")):
                os.remove(path("lose"))
                fault = "lose"
    return answer(environ, start_response, fault)


class Silent(WSGIRequestHandler):
    def log(self, *_):
        pass


assert Client(moto).put("/logs", base_url="http://127.0.0.1").status_code == 200
tls = (path("certificate"), path("key")) if os.path.exists(path("certificate")) else None
server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Silent, ssl_context=tls)
threading.Thread(target=server.serve_forever, daemon=True).start()
with open(path("port.part"), "w") as port:
    port.write(str(server.port))
os.rename(path("port.part"), path("port"))
sys.stdin.read()
