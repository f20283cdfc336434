"""The spools of this process: its own, one per topic, and those it adopted from processes that are gone."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from spendstream.claim import SpoolClaim, adopt_orphans
from spendstream.config import ProducerConfig
from spendstream.lane import Lane
from spendstream.native import new_rlock
from spendstream.private import check_owner
from spendstream.spool import Spool
from spendstream.stats import Counters

_TOPIC: Final = re.compile(r"(?!\.\.?$)[A-Za-z0-9._-]{1,249}")


def valid_topic(topic: str) -> bool:
    """Kafka's rule for topic names. It also makes them safe as folder names."""
    return _TOPIC.fullmatch(topic) is not None


def cluster_folder(bootstrap_servers: str) -> str:
    """Events meant for one cluster are never sent to another: each has its own folder, readable and unambiguous."""
    digest = hashlib.sha256(bootstrap_servers.encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9.-]+', '_', bootstrap_servers)[:60]}-{digest}"


class SpoolStock:
    """Makes, adopts and releases. Where the folder cannot be used it says so and the producer goes on in memory."""

    def __init__(self, config: ProducerConfig, counters: Counters) -> None:
        self._config = config
        self._counters = counters
        self._lock = new_rlock()
        self._claim: SpoolClaim | None = None
        self._adopted: list[tuple[SpoolClaim, list[Spool]]] = []
        self._warned = False

    @property
    def _root(self) -> Path | None:
        if self._config.spool_dir is None:
            return None
        return self._config.spool_dir.expanduser() / cluster_folder(self._config.bootstrap_servers)

    def own(self, topic: str) -> Spool | None:
        """A new spool for one topic, or None if there can be none."""
        if self._root is None:
            return None
        try:
            with self._lock:
                if self._claim is None:
                    claim = SpoolClaim.make(self._root)
                    self._claim = self._claim or claim
                    if self._claim is not claim:  # what it interrupted was just here
                        claim.release()
            return Spool(self._claim.folder / topic, self._config.spool_max_bytes, self._config.spool_segment_bytes)
        except OSError as error:
            self._counters.error("no_spool", f"{error}; events are kept in memory only")
            return None

    def adopt(self) -> list[tuple[str, Spool]]:
        """Spools that dead processes left behind, as (topic, spool), oldest first."""
        root = self._root
        if root is None:
            return []
        found: list[tuple[str, Spool]] = []
        try:
            if root.parent.is_dir():
                self._warn_of_other_clusters(root)
            if not root.is_dir():
                return []
            check_owner(root)  # what another user has put there is not ours to send
            for claim in adopt_orphans(root, self._unreadable):
                found += self._spools_of(claim)
        except OSError as error:
            self._unreadable(error)
        return found

    def _spools_of(self, claim: SpoolClaim) -> list[tuple[str, Spool]]:
        """What cannot be opened is given up, so that this or another process tries it again."""
        try:
            spools = [(topic, self._open(claim.folder / topic)) for topic in claim.topics() if valid_topic(topic)]
        except OSError as error:
            claim.abandon()
            self._unreadable(error)
            return []
        self._adopted.append((claim, [spool for _, spool in spools]))
        return spools

    def _unreadable(self, error: OSError) -> None:
        self._counters.error("spool_unreadable", str(error))

    def _open(self, folder: Path) -> Spool:
        return Spool(folder, self._config.spool_max_bytes, self._config.spool_segment_bytes)

    def _warn_of_other_clusters(self, root: Path) -> None:
        if self._warned:
            return
        self._warned = True
        for folder in root.parent.iterdir():
            if folder != root and any(folder.glob("*/*/*.seg")):
                self._counters.error("other_cluster", f"{folder} holds events for other bootstrap servers; not sent")

    def release_used_up(self, lanes: Iterable[Lane]) -> None:
        """Give up the adopted claims whose spools are all sent."""
        in_use = {id(spool) for lane in lanes for spool in lane.adopted}
        for entry in list(self._adopted):
            if not any(id(spool) in in_use for spool in entry[1]):
                entry[0].release()
                self._adopted.remove(entry)

    def release(self) -> None:
        """Give up every claim; what is left in the folders is for the next process."""
        for claim, _ in self._adopted:
            claim.release()
        self._adopted.clear()
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    def abandon(self) -> None:
        """In a forked child: the claims are the parent's."""
        for claim, _ in self._adopted:
            claim.abandon()
        if self._claim is not None:
            self._claim.abandon()
