"""A small disk for a command: it can be filled to the last byte, or fail and turn read-only."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

MEGABYTES = 48
MARGIN = 1 << 16


class SmallDisk:
    """A file system of ext4 in a file, mounted; needs root and a loop device.

    A disk that fails turns read-only under files that are open for writing, as a real one does; asking
    the system to mount it read-only is refused while there are any.

    Attributes:
        root: where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self._image, self.root = folder / "disk.img", folder / "disk"
        self.root.mkdir()
        with self._image.open("wb") as file:
            file.truncate(MEGABYTES << 20)
        # Without a journal and a reserve: what is written is there at once, and full is full.
        _call("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", str(self._image))
        self._mount()

    def _mount(self) -> None:
        _call("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.root))

    def fill(self) -> None:
        """Take all the space that is left."""
        with contextlib.suppress(OSError), (self.root / "filler").open("wb") as file:
            free = shutil.disk_usage(self.root).free
            with contextlib.suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, max(free - MARGIN, 1))
                file.seek(0, os.SEEK_END)
            for size in (1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))
                        file.flush()

    def flush(self) -> None:
        """Put on the disk what a test wrote there, so that a failure cannot take it away."""
        _call("sync", "-f", str(self.root))

    def empty(self) -> None:
        """Give the space back."""
        (self.root / "filler").unlink(missing_ok=True)

    def fail(self) -> None:
        """Let the disk fail: from now on it can be read alone."""
        (device,) = {
            line.split()[0]
            for line in Path("/proc/mounts").read_text().splitlines()
            if line.split()[1] == str(self.root)
        }
        Path("/sys/fs/ext4", Path(device).name, "trigger_fs_error").write_text("planted")

    def mend(self) -> None:
        """Check the disk, as a person would after it failed, and mount it for writing again."""
        self.close()
        subprocess.run(["e2fsck", "-fy", str(self._image)], capture_output=True, check=False)
        self._mount()

    def close(self) -> None:
        """Unmount it."""
        _call("umount", str(self.root))


def can_make_disks() -> bool:
    """Return whether this system lets one mount a small disk that can fail."""
    tools = all(shutil.which(name) for name in ("mkfs.ext4", "e2fsck", "mount", "umount"))
    if not tools or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    return Path("/dev/loop-control").exists() and Path("/sys/fs/ext4").exists()


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{command[0]}: {done.stderr.strip()}")
