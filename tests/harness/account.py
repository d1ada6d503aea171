# SPDX-License-Identifier: ISC
"""Who runs what: nodes refuse to be root, so a root test run starts them as `nobody` in a folder of theirs."""
import os
import pwd
import shutil
import tempfile

USER = 'nobody'


def popen_arguments(groups=()):
    """Arguments for subprocess that start the program as an ordinary user."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(USER)
    return {'user': account.pw_uid, 'group': account.pw_gid, 'extra_groups': list(groups)}


def own(path):
    """Gives a folder to the account that the nodes run as."""
    if os.geteuid() == 0:
        account = pwd.getpwnam(USER)
        os.chown(path, account.pw_uid, account.pw_gid)
    return path


def work_folder():
    """A short, fresh folder that the nodes' account can reach. (The clone may lie where only root can go, and
    Unix sockets need short names.) Whoever makes it removes it."""
    path = tempfile.mkdtemp(prefix='smtorp-')
    os.chmod(path, 0o755)
    return path


def remove(path):
    shutil.rmtree(path, ignore_errors=True)


def environment(**more):
    """A small environment: nothing of the person who runs the tests gets into a node."""
    return {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LANG': 'C.UTF-8', 'TZ': 'UTC', **more}
