"""moto's server, one request at a time: its conditional writes look first and write then, and two at
once would both be told that they created the object.

    PYTHON-WITH-MOTO testbed/moto_server.py PORT
"""
import sys

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.server import MotoRequestHandler
from werkzeug.serving import run_simple


def main():
    app = DomainDispatcherApplication(create_backend_app)
    run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=False,
               request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
