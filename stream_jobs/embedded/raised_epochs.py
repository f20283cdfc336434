"""Idempotent producers that raise the epoch of their id by themselves.

A producer that has lost track of what is stored, as when a message timed out on its way, goes on under its id with the
next epoch, from sequence 0, and asks nobody (KIP-360; librdkafka and Java do so). Kafka takes that. Tansu counts such a
producer as fenced, for good. So in front of Tansu each raised epoch is a producer of its own: the gate asks for a fresh
id, once for an id and epoch, and writes it into the batches. Their sequences stay as they are: they are counted from 0
under the fresh id, and what is sent again is known again.
"""

import asyncio
from typing import Final, TypeVar

from stream_jobs.embedded.one_question import NotToldError, ask
from stream_jobs.embedded.produced import Partition
from stream_jobs.embedded.producer_ids import id_in, request_for_id

MAX_KEPT: Final = 10_000
"""Of producers' epochs; the one that was not used for the longest goes first. Its producer gets an error then."""
_MAX_ANSWER_BYTES: Final = 1024

_Key = TypeVar("_Key")


class RaisedEpochs:
    """Those of the producers of the broker on this loopback port."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._asking = asyncio.Lock()
        self._ids: dict[tuple[int, int], int] = {}  # by the producer's id and epoch
        self._epochs: dict[tuple[int, bytes, int], int] = {}  # the last, by its id, topic and partition

    def outdated(self, partition: Partition) -> bool:
        """Whether the producer has begun in the partition under a later epoch. Kafka refuses it then."""
        return bool(self._epochs) and partition.epoch < self._epochs.get(_place(partition), 0)

    async def stand_in(self, partition: Partition) -> int | None:
        """Under which id the broker is to get the batch. None: as it is, also where an epoch does not begin with
        sequence 0, which the broker refuses. Raises NotToldError when it cannot be asked."""
        if partition.producer_id < 0 or partition.epoch <= 0:
            return None
        if self._epochs.get(_place(partition)) != partition.epoch and partition.sequence:
            return None
        producer = partition.producer_id, partition.epoch
        if producer not in self._ids:
            async with self._asking:
                if producer not in self._ids:
                    self._ids[producer] = await self._fresh()
        found = self._ids[producer]
        _keep(self._ids, producer, found)
        _keep(self._epochs, _place(partition), partition.epoch)
        return found

    async def _fresh(self) -> int:
        what = "which producer id it gives"
        answer = await ask(self._port, request_for_id(0), what, max_bytes=_MAX_ANSWER_BYTES)
        try:
            return id_in(answer)
        except ValueError as error:
            raise NotToldError(f"the broker did not say {what}: {error}") from None


def _place(partition: Partition) -> tuple[int, bytes, int]:
    return partition.producer_id, partition.topic, partition.number


def _keep(kept: dict[_Key, int], key: _Key, value: int) -> None:
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > MAX_KEPT:
        del kept[next(iter(kept))]
