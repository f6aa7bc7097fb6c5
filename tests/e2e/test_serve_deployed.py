# SPDX-License-Identifier: MIT
"""What scripts/deploy says, done: the container of the DaemonSet, and nginx with TLS and a password in front of serve.
The unit of systemd is started in a guest: tests/vm/systemd."""
from __future__ import annotations

import base64
import re
import shutil
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cow import ROOT, wait_for
from serving import Prometheus, Serving, free_port
from test_serve import GROUP, Forker, wait_for_buffers

DEPLOY = ROOT / "scripts" / "deploy"

# --- Kubernetes ---------------------------------------------------------------------------------------------

# A root that nobody can write to, with /proc of the host (hostPID), the mount of the manifest, and a /dev of its own.
ENTER = """set -e
mount --bind / "$ROOT_DIR"
mount -o remount,bind,ro "$ROOT_DIR"
mount -t proc proc "$ROOT_DIR/proc"
mount -t sysfs -o ro sysfs "$ROOT_DIR/sys"
mount --bind /sys/kernel/tracing "$ROOT_DIR$MOUNT"
mount -o remount,bind,ro "$ROOT_DIR$MOUNT"
mount -t tmpfs tmpfs "$ROOT_DIR/dev"
for device in null zero urandom; do
    cp -a "/dev/$device" "$ROOT_DIR/dev/"
done
exec chroot "$ROOT_DIR" setpriv --no-new-privs --bounding-set="$CAPS" --inh-caps=-all -- "$@"
"""


def container(tmp_path: Path) -> tuple[list[str], dict[str, str], list[str]]:
    """What the manifest asks for: how to begin, with what in the environment, and the arguments."""
    text = (DEPLOY / "daemonset.yaml").read_text()
    for needed in ("hostPID: true", "readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false", "drop: [ALL]",
                   "runAsUser: 0"):
        assert needed in text, needed
    caps = ",".join(f"+{cap.lower()}" for cap in re.findall(r"^ +- ([A-Z_]+)$", text, re.M))
    mount = re.findall(r"mountPath: (\S+)\n +readOnly: true", text)
    assert mount == ["/sys/kernel/tracing"] and "readOnly: false" not in text
    args = re.search(r"args: \[(.*)\]", text)[1].replace('"', "").split(", ")
    assert args[:2] == ["cowtrace", "serve"]
    place = tmp_path / "root"
    place.mkdir()
    prefix = ["unshare", "--mount", "--uts", "--ipc", "--propagation", "private", "sh", "-c", ENTER, "sh"]
    return prefix, {"CAPS": f"-all,{caps}", "ROOT_DIR": str(place), "MOUNT": mount[0]}, args[2:]


def test_the_container_of_the_daemonset(any_python: str, tmp_path: Path) -> None:
    prefix, env, args = container(tmp_path)
    assert args[0] == "--listen" and args[2:] == ["--listen-public"], args
    port = free_port()
    # Here only this machine is to ask; that a public address wants consent, is in test_serve.py.
    with Forker(any_python) as service, \
            Serving(["--listen-public"], port, env, prefix=prefix) as server:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        assert bin(int(re.search(r"^CapEff:\t(\w+)", status, re.M)[1], 16)).count("1") == env["CAPS"].count("+")
        wait_for("it is found", lambda: server.metrics().sum("cowtrace_processes", group=GROUP) == 4)
        service.write(503)
        page = wait_for_buffers(server, 1509)
        assert page.value("cowtrace_python_layouts_total", result="resolved") >= 1
        assert page.sum("cowtrace_lost_events_total") == 0
        http = Path(f"/proc/{server.http_process()}/status").read_text()
        assert int(re.search(r"^CapEff:\t(\w+)", http, re.M)[1], 16) == 0
        assert re.search(r"^Uid:\t65534\t65534\t65534\t65534$", http, re.M)
        assert b"write_pages" in server.drawn("/report")
        assert server.stop() == 0


# --- a reverse proxy ----------------------------------------------------------------------------------------

MAIN = """daemon off;
pid {place}/pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    include {place}/cowtrace.conf;
}}
"""


class Nginx:
    """The example of scripts/deploy, with other paths and ports."""

    def __init__(self, behind: int, place: Path, password: str):
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        assert program, "nginx is missing; scripts/setup test installs it"
        self.port, self.cert = free_port(), place / "cowtrace.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", str(place / "cowtrace.key"),
                        "-out", str(self.cert)], check=True, capture_output=True)
        hashed = subprocess.run(["openssl", "passwd", "-apr1", password], check=True, capture_output=True, text=True)
        (place / "cowtrace.users").write_text(f"prometheus:{hashed.stdout}")
        (place / "cowtrace.users").chmod(0o644)
        example = (DEPLOY / "nginx.conf").read_text()
        for old, new in (("listen 9749", f"listen 127.0.0.1:{self.port}"), ("/etc/nginx", str(place)),
                         ("127.0.0.1:9748", f"127.0.0.1:{behind}"), ("listen [::]:9749 ssl;", "")):
            assert old in example, old
            example = example.replace(old, new)
        (place / "cowtrace.conf").write_text(example)
        (place / "nginx.conf").write_text(MAIN.format(place=place))
        self.process = subprocess.Popen([program, "-p", str(place), "-c", str(place / "nginx.conf")])
        context = ssl.create_default_context(cafile=str(self.cert))
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                                  urllib.request.HTTPSHandler(context=context))
        wait_for("nginx answers", lambda: self.status("/healthz") == 401)

    def __enter__(self) -> Nginx:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    def ask(self, path: str, password: str | None = None, method: str = "GET") -> tuple[int, bytes]:
        headers = {}
        if password:
            headers["Authorization"] = "Basic " + base64.b64encode(f"prometheus:{password}".encode()).decode()
        request = urllib.request.Request(f"https://localhost:{self.port}{path}", headers=headers, method=method,
                                         data=b"x" if method == "POST" else None)
        try:
            with self.opener.open(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def status(self, path: str) -> int | None:
        try:
            return self.ask(path)[0]
        except OSError:
            return None


@pytest.fixture()
def place() -> Iterator[Path]:
    """nginx's workers are another user's."""
    with tempfile.TemporaryDirectory(prefix="cowtrace-nginx-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def test_tls_and_a_password_in_front_of_it(any_python: str, place: Path) -> None:
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server, \
            Nginx(server.port, place, "open sesame") as nginx:
        for path in ("/", "/metrics", "/report", "/debug/pprof/copies?seconds=1"):
            assert nginx.ask(path)[0] == 401, path
            assert nginx.ask(path, "wrong")[0] == 401, path
        assert nginx.ask("/metrics", "open sesame", "POST")[0] == 403
        service.write(307)
        wait_for_buffers(server, 921)
        status, body = nginx.ask("/metrics", "open sesame")
        assert status == 200 and f'cowtrace_processes{{group="{GROUP}"}} 4\n'.encode() in body
        status, body = nginx.ask("/debug/pprof/copies?seconds=1", "open sesame")
        assert status == 200 and body[:2] == b"\x1f\x8b"
        with pytest.raises(OSError):  # in the clear
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                    f"http://127.0.0.1:{nginx.port}/metrics", timeout=60) as answer:
                answer.read()
        client = {"scheme": "https", "tls_config": {"ca_file": str(nginx.cert), "server_name": "localhost"},
                  "basic_auth": {"username": "prometheus", "password": "open sesame"}}
        with Prometheus([nginx.port], client=client) as prometheus:
            prometheus.wait_for('up{job="cowtrace"}', 1)
            prometheus.wait_for(f'cowtrace_processes{{group="{GROUP}"}}', 4)
