"""One side of a connection with mutual TLS, driven by runner.rs with one JSON object a line.

Requests: {"op": "serve", "chain", "key", "ca"}, {"op": "dial", "chain", "key", "ca", "port", "name"}, {"op": "stop"}.
Answers: {"ok": true, "port"} or {"ok": false, "error"}; "late" is true when an RPC came to no end. What gRPC logs goes to
standard error, which runner.rs reads.
"""

import json
import sys
from concurrent import futures

import grpc

PATH = "/oracle/Echo"
SECONDS = 15


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)


class Side:
    def __init__(self):
        self.threads = futures.ThreadPoolExecutor(max_workers=2)
        self.server = None

    def serve(self, chain, key, ca):
        server = grpc.server(self.threads, options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((Echo(),))
        credentials = grpc.ssl_server_credentials([(key, chain)], root_certificates=ca, require_client_auth=True)
        port = server.add_secure_port("127.0.0.1:0", credentials)
        if port == 0:
            raise RuntimeError("Failed to bind")
        server.start()
        self.server = server
        return {"ok": True, "port": port}

    def dial(self, chain, key, ca, port, name):
        credentials = grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=chain)
        options = [("grpc.default_authority", name), ("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.secure_channel("127.0.0.1:%d" % port, credentials, options=options) as channel:
            try:
                answer = channel.unary_unary(PATH)(b"echo", timeout=SECONDS)
            except grpc.RpcError as error:
                code = error.code()
                late = code == grpc.StatusCode.DEADLINE_EXCEEDED
                return {"ok": False, "late": late, "error": "%s: %s" % (code.name, error.details())}
        if answer != b"echo":
            return {"ok": False, "late": True, "error": "another answer: %r" % answer}
        return {"ok": True}

    def stop(self):
        if self.server is not None:
            self.server.stop(0).wait(SECONDS)
            self.server = None
        return {"ok": True}


def main():
    side = Side()
    print(json.dumps({"ok": True, "version": grpc.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        op = request.pop("op")
        for field in ("chain", "key", "ca"):
            if field in request:
                request[field] = request[field].encode()
        try:
            answer = getattr(side, op)(**request)
        except Exception as error:  # gRPC refuses credentials with several kinds
            answer = {"ok": False, "error": "%s: %s" % (type(error).__name__, error)}
        sys.stderr.flush()
        print(json.dumps(answer), flush=True)


main()
