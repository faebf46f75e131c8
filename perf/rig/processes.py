"""Processes that are spoken to by lines, and their certain end."""

import os
import queue
import signal
import subprocess
import threading
import time


class Gone(Exception):
    """A process ended, or did not say what it should have said."""


def goes_first(pid):
    """Puts a session of ours before all others on this machine. With the kernel's autogroups, each session
    gets the same share of the CPUs, whatever the niceness of its processes."""
    try:
        with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as group:
            group.write("-15")
    except OSError:
        pass  # a kernel without autogroups: niceness counts


class Talker:
    """A process of its own group; what it prints is read as it comes."""

    def __init__(self, argv, name, env=None):
        self.name = name
        self.said = []
        self.lines = queue.Queue()
        self.child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      stderr=subprocess.STDOUT, start_new_session=True, bufsize=1, env=env)
        goes_first(self.child.pid)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @property
    def pid(self):
        return self.child.pid

    def _read(self):
        for line in self.child.stdout:
            self.said.append(line)
            self.lines.put(line)
        self.lines.put(None)

    def say(self, line):
        try:
            self.child.stdin.write(line + "\n")
            self.child.stdin.flush()
        except OSError as error:
            raise Gone(f"{self.name} ended: {''.join(self.said[-15:])}") from error

    def wait_for(self, matches, timeout):
        """The first line for which `matches` returns something, and that."""
        until = time.monotonic() + timeout
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, until - time.monotonic()))
            except queue.Empty:
                raise Gone(f"{self.name} was silent for {timeout} s; last: {''.join(self.said[-15:])}") from None
            if line is None:
                raise Gone(f"{self.name} ended: {''.join(self.said[-15:])}")
            found = matches(line)
            if found:
                return found

    def end(self, patience=3.0):
        """Ends it and what it started, by its group."""
        if self.child.poll() is None:
            try:
                self.child.stdin.close()
            except OSError:
                pass
            try:
                self.child.wait(patience)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except OSError:
            pass
        self.child.wait()


def cpu_seconds(pid):
    """CPU time of a process, all threads."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kib(pid):
    """Memory of a process, hugepages apart."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
