"""Videos of OpenAI (platform.openai.com/docs/api-reference/videos/object) and xAI (docs.x.ai/docs/guides).

Both are jobs that are asked for until they are done, billed by the second of what was made; a job that is not done, or
failed, has no usage. OpenAI tells the size of the video, which moves its price; xAI does not.
"""

from decimal import Decimal

from spendstream.adapters.problems import problem
from spendstream.adapters.reader import Node
from spendstream.adapters.result import Meters
from spendstream_schemas.types import MAX_COUNT, UNREADABLE


def video_meters(root: Node) -> Meters:
    """Seconds of a finished video."""
    made = root.node("video")
    if made is not None:
        return {"output_video_seconds": made.seconds("duration")}
    if root.text("status", 64) != "completed":
        return {}
    told = root.raw("seconds")
    if told is None or not isinstance(told, str):
        return {"output_video_seconds": root.seconds("seconds")}
    if not (told.isascii() and told.isdigit() and len(told) <= len(str(MAX_COUNT)) and int(told) <= MAX_COUNT):
        problem(f"{root.path}.seconds: expected seconds, got a text of length {len(told)}")
        return {}
    return {"output_video_seconds": Decimal(told)}


def video_size(root: Node) -> str | None:
    """The size of a video, in pixels: "720x1280"."""
    return root.name("size", 64, UNREADABLE)
