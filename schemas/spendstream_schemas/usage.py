"""What was used: the three kinds of billable usage and the meters each can report.

One rule for tokens whatever the provider says: ``input_tokens`` includes everything read from and written to cache,
``output_tokens`` includes reasoning. The parts stand beside their wholes. Absent is not the same as zero.
"""

from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spendstream_schemas.reasons import InvalidReason
from spendstream_schemas.types import Count, Duration, Message, Quantity, Text64, Text128, refuse


def _check_parts(message: Message, whole_name: str, part_names: tuple[str, ...]) -> None:
    """The named parts are disjoint, so their sum must fit into the whole."""
    parts = [part for name in part_names if (part := getattr(message, name)) is not None]
    if not parts:
        return
    whole = getattr(message, whole_name)
    if whole is None:
        raise refuse(
            InvalidReason.PART_WITHOUT_WHOLE,
            f"{' + '.join(part_names)} given, but {whole_name} is absent",
        )
    total = sum(parts)
    if total > whole:
        raise refuse(InvalidReason.PART_EXCEEDS_WHOLE, f"{' + '.join(part_names)} = {total} > {whole_name} = {whole}")


# Each row: a whole and parts of it that are disjoint among themselves. Rows may overlap (cached audio is audio and
# is cached), which is why they are checked row by row.
TOKEN_PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "input_tokens",
        (
            "cache_read_tokens",
            "cache_write_tokens",
            "cache_write_5m_tokens",
            "cache_write_30m_tokens",
            "cache_write_1h_tokens",
            "cache_write_12h_tokens",
        ),
    ),
    ("input_tokens", ("input_audio_tokens", "input_image_tokens", "input_video_tokens")),
    ("input_tokens", ("tool_use_input_tokens",)),
    ("cache_read_tokens", ("cache_read_audio_tokens", "cache_read_image_tokens", "cache_read_video_tokens")),
    ("input_audio_tokens", ("cache_read_audio_tokens",)),
    ("input_image_tokens", ("cache_read_image_tokens",)),
    ("input_video_tokens", ("cache_read_video_tokens",)),
    ("output_tokens", ("reasoning_tokens",)),
    ("output_tokens", ("output_audio_tokens", "output_image_tokens", "output_video_tokens")),
    ("output_tokens", ("citation_tokens",)),
    ("output_tokens", ("accepted_prediction_tokens", "rejected_prediction_tokens")),
)


@lru_cache(maxsize=1024)
def _rows_with(given: frozenset[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The rows of which a part is given; looked up, for this runs in the services' requests."""
    return tuple([row for row in TOKEN_PARTS if not given.isdisjoint(row[1])])


class TokenUsage(Message):
    """LLM, embedding, rerank, image and audio calls. Unit: tokens unless the field's name says otherwise."""

    kind: Literal["tokens"]

    input_tokens: Count | None = None  # everything read, cached or not
    cache_read_tokens: Count | None = None
    cache_write_tokens: Count | None = None  # written with a lifetime the provider does not report
    cache_write_5m_tokens: Count | None = None
    cache_write_30m_tokens: Count | None = None
    cache_write_1h_tokens: Count | None = None
    cache_write_12h_tokens: Count | None = None
    input_audio_tokens: Count | None = None
    input_image_tokens: Count | None = None
    input_video_tokens: Count | None = None
    cache_read_audio_tokens: Count | None = None
    cache_read_image_tokens: Count | None = None
    cache_read_video_tokens: Count | None = None
    tool_use_input_tokens: Count | None = None  # prompt tokens a server-side tool added

    output_tokens: Count | None = None  # everything written, reasoning included
    reasoning_tokens: Count | None = None
    output_audio_tokens: Count | None = None
    output_image_tokens: Count | None = None
    output_video_tokens: Count | None = None
    citation_tokens: Count | None = None
    accepted_prediction_tokens: Count | None = None
    rejected_prediction_tokens: Count | None = None

    # What is not billed in tokens but comes with the same calls.
    input_characters: Count | None = None  # text to speech
    input_audio_seconds: Quantity | None = None  # transcription
    output_audio_seconds: Quantity | None = None
    output_video_seconds: Quantity | None = None
    output_images: Count | None = None
    input_pages: Count | None = None  # document OCR
    input_annotated_pages: Count | None = None
    search_units: Count | None = None  # rerank

    @model_validator(mode="after")
    def _parts_fit_their_wholes(self) -> Self:
        values = self.__dict__
        for whole, parts in _rows_with(frozenset(self.__pydantic_fields_set__)):
            total = values[whole]
            if total is None or sum([values[name] or 0 for name in parts]) > total:
                _check_parts(self, whole, parts)
        return self


class ComputeUsage(Message):
    """Accelerator and CPU time. Seconds are summed over all devices: 8 GPUs for a minute are 480 gpu_seconds.

    ``duration_s`` is how long it ran by the clock, from ``occurred_at`` on. Where only it and the number of devices are
    said, ``gpu_seconds`` is their product; where all three are, they must agree within 1 %, or a second per device.
    """

    kind: Literal["compute"]

    accelerator: Text64 | None = None  # "H100", "A100-80GB"; absent for CPU-only work
    accelerator_count: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] | None = None
    duration_s: Duration | None = None  # by the clock, from occurred_at on
    instance_type: Text64 | None = None
    purchase_option: Literal["on_demand", "reserved", "spot", "committed"]
    gpu_seconds: Quantity | None = None  # provisioned, which is what is billed
    busy_gpu_seconds: Quantity | None = None  # of those, doing work
    cpu_seconds: Quantity | None = None  # provisioned vCPU seconds
    busy_cpu_seconds: Quantity | None = None

    @model_validator(mode="after")
    def _seconds_are_consistent(self) -> Self:
        self._by_duration()
        _check_parts(self, "gpu_seconds", ("busy_gpu_seconds",))
        _check_parts(self, "cpu_seconds", ("busy_cpu_seconds",))
        if self.gpu_seconds is not None and self.accelerator is None:
            raise refuse(InvalidReason.ACCELERATOR_MISSING, "gpu_seconds needs accelerator: seconds of what?")
        if self.gpu_seconds is None and self.cpu_seconds is None:
            raise refuse(InvalidReason.MISSING_FIELD, "compute usage needs gpu_seconds or cpu_seconds")
        return self

    def _by_duration(self) -> None:
        if self.duration_s is None or not self.accelerator_count:
            return
        whole = self.duration_s * self.accelerator_count
        if self.gpu_seconds is None:
            if self.accelerator is not None:
                self.__dict__["gpu_seconds"] = whole
                self.__pydantic_fields_set__.add("gpu_seconds")
        elif abs(self.gpu_seconds - whole) > max(whole / 100, Decimal(self.accelerator_count)):
            raise refuse(
                InvalidReason.DURATION_MISMATCH,
                f"gpu_seconds = {self.gpu_seconds:f}, but {self.accelerator_count} devices take {whole:f} in "
                f"duration_s = {self.duration_s:f}; leave accelerator_count out if their number changed",
            )


class MeteredUsage(Message):
    """Anything else with a SKU: storage, vector reads, egress, API calls."""

    kind: Literal["metered"]

    sku: Text128
    quantity: Quantity
    unit: Text64


Usage = Annotated[TokenUsage | ComputeUsage | MeteredUsage, Field(discriminator="kind")]


def meters_of(kind: type[Message]) -> tuple[str, ...]:
    """Names of the numeric meters of a usage model, in their declared order."""
    texts = {
        "kind",
        "accelerator",
        "accelerator_count",
        "instance_type",
        "purchase_option",
        "sku",
        "unit",
        "duration_s",
    }
    return tuple(name for name in kind.model_fields if name not in texts)


METERS: tuple[str, ...] = (*meters_of(TokenUsage), *meters_of(ComputeUsage), *meters_of(MeteredUsage))
"""All meters, one ledger column each."""

DECIMAL_METERS: frozenset[str] = frozenset(
    {
        "input_audio_seconds",
        "output_audio_seconds",
        "output_video_seconds",
        "gpu_seconds",
        "busy_gpu_seconds",
        "cpu_seconds",
        "busy_cpu_seconds",
        "quantity",
    }
)
"""The meters that can be fractional (`Quantity`); all others are whole numbers (`Count`)."""
