# SPDX-License-Identifier: ISC
"""A private tor network, on loopback unless told otherwise: its files, its start and its end. README.md explains how it boots."""

import concurrent.futures
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

import processes
from control import Control, ControlError

CLIENT = "client"
LOOPBACK = "127.0.0.1"
SOCKET_PATH_MAX = 107

COMMON_OPTIONS = """\
TestingTorNetwork 1
AssumeReachable 1
PathsNeededToBuildCircuits 0.67
LearnCircuitBuildTimeout 0
CircuitBuildTimeout 10
"""

NODE_OPTIONS = """\
DisableNetwork 1
FetchServerDescriptors 0
ShutdownWaitLength 0
SafeLogging 0
NumCPUs 1
AvoidDiskWrites 1
GeoIPFile /dev/null
GeoIPv6File /dev/null
"""

RELAY_OPTIONS = """\
Address {address}
ORPort {address}:{or_port}
SocksPort 0
ExitRelay 0
PublishServerDescriptor 0
ContactInfo nobody@test.invalid
"""

AUTHORITY_OPTIONS = """\
DirPort {address}:{dir_port}
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
TestingDirAuthVoteExit *
TestingDirAuthVoteGuard *
TestingDirAuthVoteHSDir *
TestingMinExitFlagThreshold 0
V3AuthNIntervalsValid 2
V3AuthVotingInterval {interval}
V3AuthVoteDelay {delay}
V3AuthDistDelay {delay}
TestingV3AuthInitialVotingInterval {interval}
TestingV3AuthInitialVoteDelay {delay}
TestingV3AuthInitialDistDelay {delay}
TestingV3AuthVotingStartOffset {offset}
"""


class NetworkError(Exception):
    """The network cannot be started or looked at; the text says what happened and what to do."""


class NoNetwork(NetworkError):
    """There is no network in the directory."""


class Busy(NetworkError):
    """The directory holds a network, or something else, or another testnet is at work in it."""


class MissingProgram(NetworkError):
    """tor or tor-gencert is not installed."""


class PortTaken(NetworkError):
    """Somebody else took one of the ports."""


class Network:
    def __init__(self, directory):
        self.directory = pathlib.Path(os.path.abspath(directory))
        self._state_file = self.directory / "network.json"

    # What is known about a network

    def state(self):
        """The recorded facts: state, interval, nodes, conf, socks_port, control_socket, socket_directory."""
        try:
            return json.loads(self._state_file.read_text())
        except FileNotFoundError:
            raise NoNetwork(f"there is no network in {self.directory}; `testnet start` makes one") from None
        except ValueError:
            raise NetworkError(f"{self._state_file} cannot be read; remove {self.directory}") from None

    def status(self):
        """What `status --json` prints."""
        state = self.state()
        pids = {name: processes.recorded_pid(self._record(name)) for name in state["nodes"]}
        report = {"state": self._judge(state, pids), "directory": str(self.directory), "pids": pids,
                  "interval": state["interval"], "bootstrap": 0, "socks": None, "control_socket": None,
                  "valid_until": None}
        if state["state"] == "running" and pids[CLIENT]:
            report["socks"] = {"host": LOOPBACK, "port": state["socks_port"]}
            report["control_socket"] = state["control_socket"]
            with contextlib.suppress(OSError, ControlError), Control.open(state["control_socket"]) as client:
                report["bootstrap"] = _bootstrap_percent(client)
                report["valid_until"] = client.getinfo("consensus/valid-until")
        return report

    def _judge(self, state, pids):
        if state["state"] == "running" and all(pids.values()):
            return "running"
        if state["state"] == "starting" and self._is_locked():
            return "starting"
        return "broken" if any(pids.values()) else "stopped"

    def log_file(self, name):
        return self.directory / name / "notice.log"

    def _record(self, name):
        return self.directory / name / "process"

    # Starting

    def start(self, authorities=3, relays=4, interval=1800, timeout=90, address=LOOPBACK, progress=lambda text: None):
        """Start the network; return when its client can use onion services. When that fails nothing is left."""
        tor, gencert = _find_program("tor"), _find_program("tor-gencert")
        created = not self.directory.exists()
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self._check_unused()
            for last_try in (False, False, True):
                boot = Boot(self, tor, gencert, interval, address, time.monotonic() + timeout, progress)
                try:
                    return boot.run(authorities, relays)
                except BaseException as error:
                    failure = boot.explain(error)
                    again = isinstance(failure, PortTaken) and not last_try
                    boot.abandon()
                    self._wipe(remove_directory=created and not again)
                    if not again:
                        raise failure
                progress("a port was taken; once more with others")

    def _check_unused(self):
        if not self._state_file.exists():
            if os.listdir(self.directory):
                raise Busy(f"{self.directory} is not empty and holds no network; name another directory")
        elif any(self.status()["pids"].values()):
            raise Busy(f"a network runs in {self.directory}; end it with `testnet stop` first")
        else:
            self._end_processes(self.state())
            self._wipe()

    # Ending

    def stop(self, remove=False):
        """End exactly the processes that start() started, also when it was killed half-way."""
        self.state()
        with self._locked():
            state = self.state()
            self._end_processes(state)
            state["state"] = "stopped"
            self.write_state(state)
            if remove:
                self._wipe(remove_directory=True)

    def _end_processes(self, state):
        processes.end([self._record(name) for name in state["nodes"]])
        if state["socket_directory"]:
            shutil.rmtree(state["socket_directory"], ignore_errors=True)

    def _wipe(self, remove_directory=False):
        """Remove the files of a network whose processes have ended."""
        if self._state_file.exists():
            for name in self.state()["nodes"]:
                shutil.rmtree(self.directory / name, ignore_errors=True)
            self._state_file.unlink()
        if remove_directory:
            with contextlib.suppress(OSError):
                self.directory.rmdir()

    def write_state(self, state):
        new = self._state_file.with_suffix(".new")
        new.write_text(json.dumps(state, indent=1) + "\n")
        new.replace(self._state_file)

    @contextlib.contextmanager
    def _locked(self):
        """Keep other starts and stops out of the directory; a killed process loses its lock by itself."""
        lock = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(f"another testnet is at work in {self.directory}; wait, or end it with Ctrl-C") from None
            yield
        finally:
            os.close(lock)

    def _is_locked(self):
        try:
            with self._locked():
                return False
        except Busy:
            return True


class Boot:
    """One try to start a network.

    Each tor gets one end of a socket pair as an owning control connection: it reports to us without a listener, and
    exits by itself should we be killed. Only when all is well are they told to live on without us.
    """

    def __init__(self, network, tor, gencert, interval, address, deadline, progress):
        self.network = network
        self.tor = tor
        self.gencert = gencert
        self.interval = interval
        self.address = address
        self.vote_delay = max(2, min(10, interval // 5))
        self.deadline = deadline
        self.progress = progress
        self.ports = []
        self.children = []
        self.control = {}
        self.state = None

    def run(self, authorities, relays):
        self.authorities = [f"authority{n + 1}" for n in range(authorities)]
        self.routers = self.authorities + [f"relay{n + 1}" for n in range(relays)]
        self._describe()
        self.progress("making the authorities' keys")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            dir_authorities = list(pool.map(self._make_authority, self.authorities))
        self.state["conf"] = (COMMON_OPTIONS + "".join(dir_authorities)).splitlines()
        self.network.write_state(self.state)

        self.progress(f"starting {len(self.routers) + 1} tor processes")
        for name in self.state["nodes"]:
            self._spawn(name)
        for name in self.authorities:
            self.control[name].subscribe("NEWDESC", "NEWCONSENSUS")
        for option in ("DisableNetwork=0", "PublishServerDescriptor=1"):
            for name in self.routers:
                self._set(name, option)
        for name in self.authorities:
            self._wait_for_descriptors(name)
        self._agree()
        for name in self.routers:
            self._set(name, "FetchServerDescriptors=1")
        for name in self.routers:
            self._bootstrap(name)
        self._set(CLIENT, "DisableNetwork=0", "FetchServerDescriptors=1")
        self._bootstrap(CLIENT)
        self._let_go()

    def abandon(self):
        """End and forget everything that run() has started."""
        if self.state:
            self.network._end_processes(self.state)
        for child in self.children:
            child.wait()
        for control in self.control.values():
            control.close()
        self._release_ports()

    def explain(self, error):
        """Turn a failure into one that names the tor at fault and what it logged last; others stay what they are."""
        if not isinstance(error, (ConnectionError, TimeoutError, ControlError)):
            return error
        dead = [name for name, child in zip(self.control, self.children) if child.poll() is not None]
        name = dead[0] if dead else self.authorities[0]
        lines = []
        with contextlib.suppress(OSError):
            lines = self.network.log_file(name).read_text(errors="replace").splitlines()[-8:]
        if any("Address already in use" in line for line in lines):
            return PortTaken(f"a port of {name} was taken by somebody else again and again")
        what = f"{name} ended" if dead else f"the network was not ready in time ({error})"
        return NetworkError("\n  ".join([f"{what}; the last lines of its log:", *lines]))

    # Files

    def _describe(self):
        """Write down what will be started, before anything is."""
        self.or_ports = {name: self._reserve_port(self.address) for name in self.routers}
        self.dir_ports = {name: self._reserve_port(self.address) for name in self.authorities}
        socket_directory = None
        control_socket = self.network.directory / CLIENT / "control"
        if len(os.fsencode(control_socket)) > SOCKET_PATH_MAX:
            socket_directory = tempfile.mkdtemp(prefix="testnet-", dir="/tmp")
            control_socket = pathlib.Path(socket_directory, "control")
        self.state = {"state": "starting", "interval": self.interval, "nodes": self.routers + [CLIENT], "conf": [],
                      "socks_port": self._reserve_port(LOOPBACK), "control_socket": str(control_socket),
                      "socket_directory": socket_directory}
        self.network.write_state(self.state)
        for name in self.state["nodes"]:
            (self.network.directory / name / "data" / "keys").mkdir(mode=0o700, parents=True)
            for folder in ("", "data"):
                (self.network.directory / name / folder).chmod(0o700)

    def _reserve_port(self, address):
        """A port that nobody else gets but a tor of ours can listen on, until _release_ports().

        Bound without SO_REUSEADDR it excludes everyone. Set afterwards it lets in those who set it too and are the
        first to listen, as tor does; another testnet binds without it and is kept out.
        """
        sock = socket.socket()
        self.ports.append(sock)
        sock.bind((address, 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return sock.getsockname()[1]

    def _release_ports(self):
        for sock in self.ports:
            sock.close()

    def _make_authority(self, name):
        """Make the keys of an authority and return its DirAuthority line."""
        data = self.network.directory / name / "data"
        keys = data / "keys"
        address = f"{self.address}:{self.dir_ports[name]}"
        _run(self.gencert, "--create-identity-key", "--passphrase-fd", "0", "-i", keys / "authority_identity_key",
             "-s", keys / "authority_signing_key", "-c", keys / "authority_certificate", "-m", "12", "-a", address)
        certificate = (keys / "authority_certificate").read_text().splitlines()
        v3ident = next(line.split()[1] for line in certificate if line.startswith("fingerprint "))
        listed = _run(self.tor, "--defaults-torrc", "/dev/null", "-f", keys / "none", "--ignore-missing-torrc",
                      "--hush", "--list-fingerprint", "--nickname", name, "--orport", "1", "--datadirectory", data)
        fingerprint = listed.split(name, 1)[1].replace(" ", "").strip()
        return (f"DirAuthority {name} orport={self.or_ports[name]} no-v2 v3ident={v3ident} "
                f"{address} {fingerprint}\n")

    def _write_torrc(self, name):
        folder = self.network.directory / name
        text = "\n".join(self.state["conf"]) + "\n" + NODE_OPTIONS
        text += f"DataDirectory {_quoted(folder / 'data')}\n"
        text += f"Log {_quoted(f'notice file {self.network.log_file(name)}')}\n"
        if name == CLIENT:
            text += f"SocksPort {LOOPBACK}:{self.state['socks_port']}\n"
            text += f"ControlSocket {_quoted(self.state['control_socket'])}\n"
        else:
            text += f"Nickname {name}\n" + RELAY_OPTIONS.format(address=self.address, or_port=self.or_ports[name])
        if name in self.authorities:
            text += AUTHORITY_OPTIONS.format(address=self.address, dir_port=self.dir_ports[name],
                                             interval=self.interval, delay=min(self.vote_delay, self.interval // 4),
                                             offset=int(time.time() + self.interval / 2) % self.interval)
        torrc = folder / "torrc"
        torrc.write_text(text)
        return torrc

    # Processes

    def _spawn(self, name):
        ours, theirs = socket.socketpair()
        self.control[name] = Control(ours)
        with theirs:
            self.children.append(processes.spawn(
                [self.tor, "--defaults-torrc", "/dev/null", "-f", self._write_torrc(name),
                 "__OwningControllerFD", str(theirs.fileno())],
                record=self.network._record(name), output=self.network.directory / name / "output",
                pass_fds=[theirs.fileno()]))

    def _left(self):
        return self.deadline - time.monotonic()

    def _set(self, name, *options):
        """Set options of a tor; it answers when it has read its configuration."""
        self.control[name].command(" ".join(["SETCONF", *options]), self._left())

    def _wait_for_descriptors(self, name):
        """Wait until an authority has the descriptors of all routers."""
        control = self.control[name]
        while (have := _count(control.getinfo("desc/all-recent"), "router ")) < len(self.routers):
            self.progress(f"{name} knows {have} of {len(self.routers)} routers")
            control.wait(lambda event: event.startswith("NEWDESC"), self._left())

    def _agree(self):
        """Have the authorities vote now: the voting interval begins when we say so, not on the hour.

        So the interval never changes. Slow machines get another vote with longer delays.
        """
        delay = 2
        while self._left() > 0:
            self.progress("the authorities vote")
            begin = int(time.time()) + 2 * delay + 2
            for name in self.authorities:
                self._set(name, f"TestingV3AuthInitialVoteDelay={delay}", f"TestingV3AuthInitialDistDelay={delay}",
                          f"TestingV3AuthVotingStartOffset={begin % self.interval}")
            if all([self._has_consensus(name, begin + delay) for name in self.authorities]):
                return
            delay = self.vote_delay
        raise TimeoutError("the authorities did not agree on a consensus")

    def _has_consensus(self, name, until):
        """Whether an authority has, by that time of day, a consensus that lists all routers."""
        control = self.control[name]
        with contextlib.suppress(TimeoutError):
            while True:
                if _count(control.getinfo("ns/all"), "r ") == len(self.routers):
                    return True
                control.wait(lambda event: event.startswith("NEWCONSENSUS"), until - time.time())
        return False

    def _bootstrap(self, name):
        """Wait until a tor has the consensus and can build circuits."""
        control = self.control[name]
        control.subscribe("STATUS_CLIENT")
        self.progress(f"{name} bootstraps")
        while _bootstrap_percent(control) < 100:
            control.wait(lambda event: " BOOTSTRAP " in event, self._left())

    def _let_go(self):
        """Make the network independent of us."""
        self.state["state"] = "running"
        self.network.write_state(self.state)
        for control in self.control.values():
            control.command("SAVECONF")
            control.command("DROPOWNERSHIP")
            control.close()
        self._release_ports()


def _bootstrap_percent(control):
    words = control.getinfo("status/bootstrap-phase").split()
    return int(next(word for word in words if word.startswith("PROGRESS="))[9:])


def _count(text, prefix):
    return sum(line.startswith(prefix) for line in text.splitlines())


def _find_program(name):
    path = shutil.which(name) or shutil.which(name, path="/usr/bin:/usr/sbin")
    if not path:
        raise MissingProgram(f"{name} is not installed; install Debian's package tor")
    return path


def _run(*arguments):
    """Run a program with an empty line (an empty passphrase) as its input and return its output."""
    done = subprocess.run(arguments, input="\n", capture_output=True, text=True)
    if done.returncode:
        raise NetworkError(f"{arguments[0]} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _quoted(value):
    """A torrc value that may hold blanks and number signs."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
