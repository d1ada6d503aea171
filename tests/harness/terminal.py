# SPDX-License-Identifier: ISC
"""A person at a terminal."""
import os
import pty
import select
import subprocess
import termios

from . import account
from .waiting import until


class Terminal:
    """Runs `smtorp ARGUMENTS` with a terminal; ends it at the end of the block."""

    def __init__(self, node, *arguments, columns=0):
        """columns: its width; 0 is a terminal that does not tell."""
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24 if columns else 0, columns))
        self.shown = ''
        self.seen = 0  # of what was shown, how much has been expected already
        self.process = subprocess.Popen([node.installation.program('smtorp'), *arguments], env=node.environment(),
                                        cwd=node.folder, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        **account.popen_arguments())
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def expect(self, text, deadline_s=60):
        """Waits until the text is shown, after what was expected before."""
        while text not in self.shown[self.seen:]:
            assert select.select([self.master], [], [], deadline_s)[0], f'no {text!r} but {self.shown[self.seen:]!r}'
            try:
                self.shown += os.read(self.master, 4096).decode(errors='replace')
            except OSError:  # the other end is closed
                raise AssertionError(f'no {text!r} but {self.shown[self.seen:]!r}') from None
        self.seen = self.shown.index(text, self.seen) + len(text)

    def answer(self, question, answer, hidden=False):
        """Answers as a person does: once the question is there and, when it is to be, typing is not shown any more."""
        self.expect(question)
        if hidden:
            until(lambda: not termios.tcgetattr(self.master)[3] & termios.ECHO, 10, 'typing to be hidden')
        os.write(self.master, answer.encode() + b'\n')

    def wait(self, deadline_s=60):
        """Until the program ends: its exit status. What it shows is read meanwhile, so that it never has to wait."""
        def is_over():
            while select.select([self.master], [], [], 0)[0]:
                try:
                    self.shown += os.read(self.master, 4096).decode(errors='replace')
                except OSError:
                    break
            return self.process.poll() is not None
        until(is_over, deadline_s, 'the program to end')
        return self.process.returncode
