# Runs in a pod, in the interpreter that is there (3.6 or newer), and prints one line. It writes no file. What it reads is
# the RAY_* and GRPC_* variables and /proc of Ray's processes and the three files that they name; a private key is described by its
# public half. REQUEST is put before this text: a JSON object with "dials" ([host, port] each), "look", "seconds", "tail".
import base64
import binascii
import hashlib
import json
import os
import platform
import re
import select
import signal
import sys
import time

MARK = "raytls-inside-1 "
LARGEST_FILE = 1 << 20
LONGEST_VALUE = 1024
SWITCH, PATHS = "RAY_USE_TLS", ("RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT")
PRIVATE = ("TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "KEY", "CREDENTIAL", "HEADERS", "COOKIE")
ONE_OF_A_KIND = 4  # processes of one kind that are told of


def slurp(path, most=LARGEST_FILE):
    with open(path, "rb") as file:
        return file.read(most)


# Variables


def kept(name):
    if name == SWITCH or name.startswith("RAY_TLS_"):
        return True
    if any(word in name.upper() for word in PRIVATE):
        return False
    return name.startswith("RAY_") or name.startswith("GRPC_")


def variables(raw):
    """Name to value, and the names whose values stay here."""
    found, withheld = {}, []
    for entry in raw.split(b"\0"):
        name, equals, value = entry.decode("utf-8", "replace").partition("=")
        if not equals or not kept(name) or name in found or name in withheld:
            # A later duplicate loses, as for getenv.
            continue
        is_json = value.lstrip()[:1] in ("{", "[") and "]:" not in value
        if len(value) > LONGEST_VALUE or "-----" in value or "@" in value or is_json:
            withheld.append(name)
        else:
            found[name] = value
    return found, withheld


# Processes


def kind_of(argv):
    text = " ".join(argv)[:8192]
    base = os.path.basename(argv[0].split(" ")[0]) if argv else ""
    if base in ("gcs_server", "raylet"):
        return base
    if "ray.util.client.server" in text or "ray/util/client/server" in text:
        return "session" if "specific-server" in text else "ray-client-server"
    for part, kind in (
        ("dashboard/agent.py", "agent"),
        ("ray::DashboardAgent", "agent"),
        ("runtime_env/agent/main.py", "runtime-env-agent"),
        ("ray::RuntimeEnvAgent", "runtime-env-agent"),
        ("dashboard/dashboard.py", "dashboard"),
        ("ray-dashboard", "dashboard"),
        ("autoscaler/_private/monitor.py", "monitor"),
        ("autoscaler/v2/monitor.py", "monitor"),
    ):
        if part in text:
            return kind
    if text.startswith("ray::"):
        return "worker"
    return None


def listening():
    ports = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = slurp(table, 8 << 20).decode("ascii", "replace").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) > 9 and fields[3] == "0A":
                ports[fields[9]] = int(fields[1].rsplit(":", 1)[1], 16)
    return ports


def ports_of(pid, sockets):
    try:
        names = os.listdir("/proc/%d/fd" % pid)
    except OSError:
        return None
    found = set()
    for name in names[:4096]:
        try:
            link = os.readlink("/proc/%d/fd/%s" % (pid, name))
        except OSError:
            continue
        if link.startswith("socket:[") and link[8:-1] in sockets:
            found.add(sockets[link[8:-1]])
    return sorted(found)


def boot_time():
    for line in slurp("/proc/stat", 8 << 20).splitlines():
        if line.startswith(b"btime "):
            return int(line.split()[1])
    return None


def started(pid):
    try:
        fields = slurp("/proc/%d/stat" % pid).rsplit(b")", 1)[1].split()
        return int(boot_time() + int(fields[19]) / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError, TypeError):
        return None


def owner(pid):
    uid, gids = None, []
    try:
        for line in slurp("/proc/%d/status" % pid).decode("ascii", "replace").splitlines():
            name, _, rest = line.partition(":")
            words = rest.split()
            if name == "Uid":
                uid = int(words[1])
            elif name == "Gid":
                gids.append(int(words[1]))
            elif name == "Groups":
                gids.extend(int(word) for word in words)
    except (OSError, ValueError, IndexError):
        pass
    return uid, gids


def read_link(path):
    try:
        return os.readlink(path)
    except OSError:
        return None


def process(pid, kind, sockets):
    try:
        raw = slurp("/proc/%d/environ" % pid)
        # A process that sets its title may write over its environment.
        whole = re.search(b"(^|\0)[A-Za-z_][A-Za-z0-9_]*=", raw) or pid == os.getpid()
        names, withheld = variables(raw) if whole else (None, [])
    except OSError:
        names, withheld = None, []
    uid, gids = owner(pid)
    return {
        "pid": pid,
        "kind": kind,
        "started": started(pid),
        "uid": uid,
        "gids": gids,
        "cwd": read_link("/proc/%d/cwd" % pid),
        "variables": names,
        "withheld": withheld,
        "ports": ports_of(pid, sockets),
    }


def processes():
    sockets = listening()
    own = os.getpid()
    here = read_link("/proc/self/ns/mnt")
    found, count = [], {}
    pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    for pid in pids[:100000]:
        if pid == own:
            continue
        try:
            raw = slurp("/proc/%d/cmdline" % pid, 65536)
        except OSError:
            continue
        argv = [part.decode("utf-8", "replace") for part in raw.split(b"\0") if part]
        kind = kind_of(argv)
        if pid == 1 and kind is None:
            kind = "first"
        there = read_link("/proc/%d/ns/mnt" % pid)
        # Containers of one pod may share their processes.
        if kind is None or (here and there and here != there):
            continue
        count[kind] = count.get(kind, 0) + 1
        if count[kind] <= ONE_OF_A_KIND:
            found.append(process(pid, kind, sockets))
    found.append(dict(process(own, "exec", {}), ports=[]))
    return found, count


def reader(found):
    """The process whose settings and files are meant."""
    for kind in ("gcs_server", "raylet", "monitor", "first", "exec"):
        for one in found:
            if one["kind"] == kind and one["variables"] is not None:
                return one
    return found[-1]


# DER and keys


def tlv(data):
    """Tag, body, rest."""
    if len(data) < 2:
        raise ValueError("short")
    length, at = data[1], 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4:
            raise ValueError("length")
        length, at = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    if len(data) < at + length:
        raise ValueError("short")
    return data[0], data[at : at + length], data[at + length :]


def element(tag, body):
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


RSA = bytes.fromhex("2a864886f70d010101")
EC = bytes.fromhex("2a8648ce3d0201")
# prime, a, b are those of SEC 2; name, size in octets, prime, a, generator.
CURVES = {
    bytes.fromhex("2a8648ce3d030107"): (
        "P-256",
        32,
        0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    ),
    bytes.fromhex("2b81040022"): (
        "P-384",
        48,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF,
        0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
        0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
    ),
    bytes.fromhex("2b81040023"): (
        "P-521",
        66,
        (1 << 521) - 1,
        0x00C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E31C2E5BD66,
        0x011839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E662C97EE72995EF42640C550B9013FAD0761353C7086A272C24088BE94769FD16650,
    ),
}


def inverse(value, prime):
    return pow(value, prime - 2, prime)


def add(one, other, prime):
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if (one[1] + other[1]) % prime == 0:
            return None
        slope = 3 * (one[0] * one[0] - 1) * inverse(2 * one[1], prime) % prime
    else:
        slope = (other[1] - one[1]) * inverse(other[0] - one[0], prime) % prime
    x = (slope * slope - one[0] - other[0]) % prime
    return x, (slope * (one[0] - x) - one[1]) % prime


def public_point(scalar, curve):
    _, size, prime, x, y = curve
    point, power = None, (x, y)
    while scalar:
        if scalar & 1:
            point = add(point, power, prime)
        power, scalar = add(power, power, prime), scalar >> 1
    return b"\4" + point[0].to_bytes(size, "big") + point[1].to_bytes(size, "big")


def spki(algorithm, key):
    return hashlib.sha256(element(0x30, element(0x30, algorithm) + element(3, b"\0" + key))).hexdigest()


def rsa(body):
    numbers = []
    while body:
        tag, number, body = tlv(body)
        if tag != 2:
            raise ValueError("integer")
        numbers.append(number)
    if len(numbers) != 9 or numbers[0] != b"\0":
        raise ValueError("two primes")
    n, e, _, p, q = (int.from_bytes(number, "big") for number in numbers[1:6])
    if p * q != n:
        raise ValueError("damaged")
    public = element(0x30, element(2, numbers[1]) + element(2, numbers[2]))
    return {"algorithm": "RSA", "bits": n.bit_length(), "spki": spki(element(6, RSA) + b"\5\0", public)}


def ec(body, oid):
    tag, _, rest = tlv(body)
    tag, secret, rest = tlv(rest)
    if tag != 4:
        raise ValueError("octets")
    while rest and oid is None:
        tag, inner, rest = tlv(rest)
        if tag == 0xA0:
            oid = tlv(inner)[1]
    if oid is None:
        return None
    curve = CURVES.get(bytes(oid))
    if curve is None:
        return {"algorithm": "unknown", "bits": 0, "spki": None}
    bits = 521 if curve[0] == "P-521" else curve[1] * 8
    point = public_point(int.from_bytes(secret, "big"), curve)
    return {"algorithm": curve[0], "bits": bits, "spki": spki(element(6, EC) + element(6, bytes(oid)), point)}


def key_facts(label, body):
    """What may be told of one PEM block of a private key."""
    unknown = {"algorithm": "unknown", "bits": 0, "spki": None}
    if label == "ENCRYPTED PRIVATE KEY" or re.search(rb"Proc-Type:.*ENCRYPTED", body):
        return dict(unknown, form="encrypted")
    if label == "OPENSSH PRIVATE KEY":
        return dict(unknown, form="open-ssh")
    form = {"RSA PRIVATE KEY": "pkcs1", "EC PRIVATE KEY": "sec1", "PRIVATE KEY": "pkcs8"}.get(label)
    try:
        der = base64.b64decode(b"".join(body.split()), validate=True)
        tag, inner, _ = tlv(der)
        if form is None or tag != 0x30:
            raise ValueError("form")
        second = tlv(tlv(inner)[2])
        # PKCS#8 may stand under the label of its kind of key.
        if second[0] == 0x30:
            _, algorithm, rest = second
            _, oid, parameters = tlv(algorithm)
            octets = tlv(rest)[1]
            if oid == RSA and form != "sec1":
                facts = rsa(tlv(octets)[1])
            elif oid == EC and form != "pkcs1":
                facts = ec(tlv(octets)[1], tlv(parameters)[1])
            elif form == "pkcs8":
                facts = {"algorithm": "Ed25519", "bits": 256, "spki": None} if oid == b"\x2b\x65\x70" else unknown
            else:
                raise ValueError("label")
            return dict(facts, form="pkcs8")
        if form == "pkcs1":
            return dict(rsa(inner), form=form)
        facts = ec(inner, None) if form == "sec1" else None
        if facts is None:
            raise ValueError("form")
        return dict(facts, form=form)
    except (ValueError, TypeError, IndexError, AttributeError, binascii.Error, OverflowError):
        return dict(unknown, form="unreadable")


# Files

BLOCK = re.compile(rb"^-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?\n(.*?)^-----END \1-----", re.S | re.M)
# What is kept of text that is no certificate: the lines around blocks and what damages them.
MASKED = re.compile(rb"\A\xef\xbb\xbf|-----(?:BEGIN|END) [A-Z0-9 ]{0,40}-----|Proc-Type: 4,ENCRYPTED|\\[nr]|[^\s=\-:,.?*<>\\\x00-\x1f]")
WORDS = (b"<", b"***", b"changeme", b"change_me", b"change-me", b"dummy", b"insert", b"placeholder", b"replace", b"todo", b"your-")


def masked(data):
    return MASKED.sub(lambda found: found.group() if len(found.group()) > 1 else b"A", data)


def is_certificate(der, label):
    try:
        tag, body, rest = tlv(der)
        inner = tlv(body)
        return tag == 0x30 and inner[0] == 0x30 and inner[1][:1] in (b"\xa0", b"\2") and (not rest or label[:7] == b"TRUSTED")
    except (ValueError, IndexError):
        return False


def skeleton(data):
    """The text with certificates and the lines around blocks; every other letter is an A. Whether a certificate was withheld."""
    out, at, withheld = [], 0, False
    for block in BLOCK.finditer(data):
        label, body = block.group(1), block.group(2)
        if not label.endswith(b"CERTIFICATE"):
            continue
        try:
            der = base64.b64decode(b"".join(body.split()), validate=True)
        except (ValueError, binascii.Error):
            continue
        if not is_certificate(der, label):
            withheld = True
            continue
        out.append(masked(data[at : block.start()]))
        out.append(block.group())
        at = block.end()
    out.append(masked(data[at:]))
    return b"".join(out), withheld


def shape(data):
    """What a file without any PEM is; none when it has some."""
    if not data.strip():
        return "empty"
    if data[:4] in (b"\xfe\xed\xfe\xed", b"\xce" * 4):
        return "jks"
    if data[:1] == b"\x30" and data[1:2] > b"\x7f" and b"-----BEGIN" not in data:
        try:
            body = tlv(data)[1]
            return "pkcs12" if body[:4] == b"\2\1\3\x30" else "der"
        except ValueError:
            return "binary"
    if b"-----BEGIN" in data:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return "binary"
    if any(ord(c) < 32 and c not in "\t\n\r\f\v" for c in text):
        return "binary"
    try:
        if b"-----BEGIN" in base64.b64decode("".join(text.split())):
            return "base64-of-pem"
    except (ValueError, binascii.Error):
        pass
    word = data.strip().lower()
    sign = len(word) <= 400 and any(part in word for part in WORDS)
    return "placeholder" if sign or word in (b"...", b"xxx", b"null", b"none") else "text"


def may_read(path, uid, gids):
    """Whether the mode lets a process of this user read a file; none when that cannot be told."""
    if uid is None:
        return None
    if uid == 0:
        return True
    parts, wanted = os.path.realpath(path), 4
    while True:
        try:
            state = os.stat(parts)
        except OSError:
            return None
        shift = 6 if state.st_uid == uid else 3 if state.st_gid in gids else 0
        if not (state.st_mode >> shift) & wanted:
            return False
        if parts in ("/", ""):
            return True
        parts, wanted = os.path.dirname(parts), 1


def file_of(variable, path, one):
    full = path if path.startswith("/") else os.path.join(one["cwd"] or "/", path)
    told = {"variable": variable, "path": path, "resolved": full, "pid": one["pid"]}
    try:
        state = os.stat(full)
        told.update(size=state.st_size, uid=state.st_uid, gid=state.st_gid, mode=state.st_mode & 0o7777, changed=int(state.st_mtime))
        if os.path.isdir(full):
            return dict(told, error="a directory")
        told["readable"] = may_read(full, one["uid"], one["gids"])
        data = slurp(full, LARGEST_FILE + 1)
    except FileNotFoundError:
        return dict(told, absent=True)
    except NotADirectoryError:
        return dict(told, absent=True)
    except PermissionError as error:
        # Who may not read it is told only of the process itself.
        return dict(told, denied=one["uid"] == os.geteuid(), error="permission denied to uid %d" % os.geteuid())
    except OSError as error:
        return dict(told, error=str(error.strerror))
    if len(data) > LARGEST_FILE:
        return dict(told, error="larger than 1 MiB")
    if told["readable"] is None and one["uid"] == os.geteuid():
        told["readable"] = True
    kind = shape(data)
    told["shape"] = kind
    if kind is None:
        text, told["withheld"] = skeleton(data)
        told["text"] = text.decode("latin-1")
        told["keys"] = [
            key_facts(block.group(1).decode("ascii"), block.group(2))
            for block in BLOCK.finditer(data)
            if block.group(1).endswith(b"PRIVATE KEY")
        ][:8]
    return told


def files(found):
    seen, told = set(), []
    main = reader(found)
    for one in [main] + found:
        if one["kind"] == "exec" and one is not main:
            continue
        for name in PATHS:
            path = (one["variables"] or {}).get(name)
            full = path and (path if path.startswith("/") else (one["cwd"], path))
            if path and (name, full) not in seen and len(told) < 12:
                seen.add((name, full))
                told.append(file_of(name, path, one))
    return told


# Dials


def credentials(grpc, names):
    """As ray/_common/tls_utils.py and ray/_private/grpc_utils.py have it; none for plaintext."""
    if names.get(SWITCH, "0").lower() not in ("1", "true"):
        return None
    missing = [name for name in PATHS if name not in names]
    if missing:
        raise RuntimeError(
            "If the environment variable RAY_USE_TLS is set to true then RAY_TLS_SERVER_CERT, RAY_TLS_SERVER_KEY and RAY_TLS_CA_CERT"
            " must also be set."
        )
    certificate, key, trust = (slurp(names[name]) for name in PATHS)
    return grpc.ssl_channel_credentials(certificate_chain=certificate, private_key=key, root_certificates=trust)


def call(grpc, names, host, port, seconds):
    try:
        secure = credentials(grpc, names)
    except Exception as error:
        return {"impossible": "%s: %s" % (type(error).__name__, error)}
    address = "[%s]:%d" % (host, port) if ":" in host else "%s:%d" % (host, port)
    options = [("grpc.enable_http_proxy", 0)]
    if secure is None:
        channel = grpc.insecure_channel(address, options)
    else:
        channel = grpc.secure_channel(address, secure, options)
    try:
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=seconds)
        return {"tls": secure is not None, "status": "OK", "details": ""}
    except grpc.RpcError as error:
        return {"tls": secure is not None, "status": error.code().name, "details": (error.details() or "")[:600]}


def child(grpc, names, host, port, seconds, answer, words):
    try:
        os.dup2(words, 2)
        told = call(grpc, names, host, port, seconds)
    except BaseException as error:
        told = {"impossible": "%s: %s" % (type(error).__name__, error)}
    os.write(answer, json.dumps(told).encode())
    os._exit(0)


TELLING = re.compile("handshake|ssl|tls|certificate|match found|check failed|resol", re.I)


def dial_all(grpc, names, wanted, seconds):
    """One child for each dial: gRPC may end its process, and what it prints belongs to one dial."""
    open_pipes, told, pids = {}, [], []
    for index, (host, port) in enumerate(wanted):
        told.append({"host": host, "port": port, "answer": b"", "words": b""})
        pipes = [os.pipe(), os.pipe()]
        pid = os.fork()
        if pid == 0:
            os.setsid()
            child(grpc, names, host, port, seconds, pipes[0][1], pipes[1][1])
        pids.append(pid)
        for pipe, what in zip(pipes, ("answer", "words")):
            os.close(pipe[1])
            open_pipes[pipe[0]] = (index, what)
    end = time.monotonic() + seconds + 3
    while open_pipes and time.monotonic() < end:
        for pipe in select.select(list(open_pipes), [], [], 0.2)[0]:
            index, what = open_pipes[pipe]
            data = os.read(pipe, 65536)
            told[index][what] = (told[index][what] + data)[:65536]
            if not data:
                os.close(pipe)
                del open_pipes[pipe]
    for pid, one in zip(pids, told):
        try:
            one["late"] = os.waitpid(pid, os.WNOHANG)[0] == 0 and not one["answer"]
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except OSError:
            pass
    for one in told:
        lines = [line.strip()[:300] for line in one.pop("words").decode("utf-8", "replace").splitlines()]
        one["words"] = [line for line in lines if TELLING.search(line)][:6]
        answer = one.pop("answer")
        if one.pop("late", False):
            one.update(status="DEADLINE_EXCEEDED", details="gRPC did not come back in time")
            continue
        try:
            one.update(json.loads(answer.decode()))
        except ValueError:
            one["impossible"] = "gRPC ended its process: %s" % (one["words"] or ["without a word"])[-1]
    return told


def version(package):
    try:
        from importlib import metadata
    except ImportError:
        return None
    try:
        return metadata.version(package)
    except Exception:
        return None


def main():
    request = json.loads(REQUEST)
    told = {"clock": int(time.time()), "python": platform.python_version(), "uid": os.geteuid()}
    told["ray"], told["grpcio"] = version("ray"), version("grpcio")
    found, count = processes()
    one = reader(found)
    told["reader"] = one["pid"]
    if request["look"]:
        told["processes"], told["counts"], told["files"] = found, count, files(found)
    wanted = [(str(host), int(port)) for host, port in request["dials"]]
    if wanted:
        names = one["variables"] or {}
        for name in [name for name in os.environ if name.startswith("GRPC_")]:
            del os.environ[name]
        os.environ.update({name: value for name, value in names.items() if name.startswith("GRPC_")})
        os.environ.pop("GRPC_TRACE", None)
        os.environ["GRPC_VERBOSITY"] = "ERROR"
        try:
            if one["cwd"]:
                os.chdir(one["cwd"])
        except OSError:
            pass
        try:
            import grpc
        except BaseException as error:
            told["no_grpc"] = "%s: %s" % (type(error).__name__, error)
        else:
            told["dials"] = dial_all(grpc, names, wanted, request["seconds"])
    line = (MARK + json.dumps(told) + "\n").encode("ascii")
    while line:
        line = line[os.write(1, line) :]


main()
