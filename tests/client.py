"""Sends bytes as they are: a line of standard input is `tls|http2|plain|leaving PORT HEX`, a line of output the answer's
first line in hex."""

import socket
import ssl
import sys

context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
newer = ssl.create_default_context()
newer.check_hostname = False
newer.verify_mode = ssl.CERT_NONE
newer.set_alpn_protocols(["h2"])
# One handshake for many requests.
session = None

for line in sys.stdin:
    kind, port, data = line.rstrip("\n").split(" ")
    answer = b""
    connection = socket.create_connection(("127.0.0.1", int(port)), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        if kind == "tls":
            connection = context.wrap_socket(connection, server_hostname="localhost", session=session)
            session = connection.session
        elif kind == "http2":
            connection = newer.wrap_socket(connection, server_hostname="localhost")
        connection.sendall(bytes.fromhex(data))
        if kind == "leaving":
            # To the server it is gone, and yet it sees when it is logged.
            connection.shutdown(socket.SHUT_WR)
        # Until the server has closed: by then it has written its log.
        while part := connection.recv(65536):
            answer += part
    except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
        # A server that dislikes what it reads may close while we still write.
        pass
    finally:
        connection.close()
    print(answer.split(b"\r\n")[0].hex(), flush=True)
