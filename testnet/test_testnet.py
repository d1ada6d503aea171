# SPDX-License-Identifier: ISC
"""The private tor network with real tors: /usr/bin/python3 -m pytest testnet"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

import network  # noqa: E402
from control import Control  # noqa: E402

TESTNET = HERE / "testnet"
ONE_READY_S = 30  # what is promised of one
READY_S = 60      # of two, on a machine with other things to do


def run_testnet(*words, code=0):
    """Run the tool, check its exit code and return what it printed."""
    done = subprocess.run([TESTNET, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout


def status(directory, code=0):
    return json.loads(run_testnet("status", directory, "--json", code=code))


def runs(pid):
    """Whether the process is there and more than a zombie that waits for init."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def mentions(directory):
    """The pids of the tors whose command lines name the directory."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"__OwningControllerFD" in (line := entry.read_bytes()) and os.fsencode(directory) in line:
                found.append(entry.parent.name)
    return found


@contextlib.contextmanager
def echo_server(path):
    """A server at a Unix socket that sends back what it gets."""
    def echo(connection):
        with connection:
            while data := connection.recv(4096):
                connection.sendall(data)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=echo, args=[server.accept()[0]], daemon=True).start()

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        threading.Thread(target=serve, daemon=True).start()
        yield
        server.shutdown(socket.SHUT_RDWR)


def dial(report, service, port):
    """A connection through the SocksPort, by SOCKS4A, as ordinary programs make it."""
    connection = socket.create_connection((report["socks"]["host"], report["socks"]["port"]), timeout=60)
    connection.sendall(b"\4\1" + port.to_bytes(2, "big") + b"\0\0\0\1test\0" + service.encode() + b".onion\0")
    assert connection.recv(8, socket.MSG_WAITALL)[1:2] == b"\x5a"
    return connection


def listening_addresses(pids):
    """The local addresses, as /proc writes them, of all TCP sockets on which these processes listen."""
    inodes = {os.readlink(link) for pid in pids for link in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                addresses.add(fields[1].split(":")[0])
    return addresses


def long_path(base):
    """A directory name with blanks that is too long for the control socket."""
    return base / ("a long name with blanks # and more " * 3).strip()


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Two networks that started at the same time, the second one with a long name."""
    base = tmp_path_factory.mktemp("networks")
    directories = [base / "one", long_path(base)]
    began = time.monotonic()
    starters = [subprocess.Popen([TESTNET, "start", directory, "--quiet"]) for directory in directories]
    try:
        for starter, limit_s in zip(starters, (ONE_READY_S, READY_S)):
            assert starter.wait(limit_s - (time.monotonic() - began)) == 0
            print(f"ready after {time.monotonic() - began:.1f} s, two at a time")
        yield directories
    finally:
        for directory, starter in zip(directories, starters):
            starter.terminate()
            starter.wait()
            subprocess.run([TESTNET, "stop", directory], capture_output=True)


@pytest.mark.parametrize("number", [0, 1])
def test_onion_service_answers(networks, tmp_path, number):
    report = status(networks[number])
    assert report["state"] == "running"
    assert report["bootstrap"] == 100
    assert report["valid_until"]
    with echo_server(tmp_path / "echo"), Control.open(report["control_socket"]) as client:
        client.subscribe("HS_DESC")
        service = client.add_onion(f"25,unix:{tmp_path}/echo")
        client.wait_published(service, timeout=60)
        with dial(report, service, 25) as connection:
            connection.sendall(b"hello")
            assert connection.recv(5, socket.MSG_WAITALL) == b"hello"


def test_listens_on_loopback_only(networks):
    assert listening_addresses(status(networks[0])["pids"].values()) == {"0100007F"}


def test_conf_lets_another_tor_join(networks, tmp_path):
    lines = run_testnet("conf", networks[1]).splitlines()
    assert all(line.startswith("tor.extra = ") for line in lines)
    torrc = tmp_path / "torrc"
    torrc.write_text("\n".join(line.removeprefix("tor.extra = ") for line in lines) +
                     f"\nSocksPort 0\nDataDirectory {tmp_path}/data\n")
    ours, theirs = socket.socketpair()
    with theirs:
        tor = subprocess.Popen(["tor", "--defaults-torrc", "/dev/null", "-f", torrc, "--hush",
                                "__OwningControllerFD", str(theirs.fileno())], pass_fds=[theirs.fileno()])
    with Control(ours) as control:
        control.subscribe("STATUS_CLIENT")
        if "PROGRESS=100" not in control.getinfo("status/bootstrap-phase"):
            control.wait(lambda event: "PROGRESS=100" in event, timeout=60)
    tor.wait(10)


def test_refuses_a_directory_in_use(networks, tmp_path):
    run_testnet("start", networks[0], "--quiet", code=4)
    (tmp_path / "letter").write_text("dear")
    run_testnet("start", tmp_path, "--quiet", code=4)
    assert os.listdir(tmp_path) == ["letter"]


def test_tells_when_there_is_no_network(tmp_path):
    for command in ("status", "stop", "conf", "log"):
        run_testnet(command, tmp_path, code=3)


def test_refuses_a_network_too_small_for_circuits(tmp_path):
    run_testnet("start", tmp_path / "net", "--relays", "0", code=2)


def test_stop_spares_a_recycled_pid(tmp_path):
    """A record whose start time is not the process's own must not lead to its end."""
    node = tmp_path / "relay1"
    node.mkdir()
    state = {"state": "running", "interval": 20, "nodes": ["relay1"], "conf": [], "socks_port": 1,
             "control_socket": "", "socket_directory": None}
    (tmp_path / "network.json").write_text(json.dumps(state))
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as innocent:
        (node / "process").write_text(f"{innocent.pid} 1\n")
        run_testnet("stop", tmp_path)
        assert innocent.poll() is None
        innocent.stdin.close()
        assert innocent.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_start_leaves_nothing(tmp_path, number):
    directory = tmp_path / "net"
    with subprocess.Popen([TESTNET, "start", directory], stderr=subprocess.PIPE, text=True) as starter:
        for line in starter.stderr:
            if "the authorities vote" in line:
                break
        assert len(mentions(directory)) == 8
        starter.send_signal(number)
        starter.stderr.read()
    if number == signal.SIGINT:
        assert starter.returncode == 130
        assert not directory.exists()
    else:
        run_testnet("stop", directory, "--remove")
    assert not directory.exists()
    assert not mentions(directory)


def test_start_takes_other_ports_when_one_is_taken(tmp_path, monkeypatch):
    reserve = network.Boot._reserve_port
    told = []
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = iter([other.getsockname()[1]])
        monkeypatch.setattr(network.Boot, "_reserve_port", lambda *asked: next(taken, None) or reserve(*asked))
        net = network.Network(tmp_path / "net")
        net.start(progress=told.append)
        net.stop(remove=True)
    assert "a port was taken; once more with others" in told
    assert not mentions(net.directory)


def test_failed_start_explains_and_leaves_nothing(tmp_path):
    done = subprocess.run([TESTNET, "start", tmp_path / "net", "--timeout", "5"], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "was not ready in time" in done.stderr
    assert not os.listdir(tmp_path)
    assert not mentions(tmp_path)


def test_stop_leaves_no_process(networks):
    """The last test: it ends both networks."""
    reports = [status(directory) for directory in networks]
    run_testnet("stop", networks[0])
    assert not mentions(networks[0])
    assert status(networks[0], code=3)["state"] == "stopped"
    assert status(networks[1])["state"] == "running"
    run_testnet("stop", networks[1], "--remove")
    assert not mentions(networks[1])
    assert not networks[1].exists()
    assert not pathlib.Path(reports[1]["control_socket"]).parent.exists()
    for report in reports:
        for pid in report["pids"].values():
            assert not runs(pid)
