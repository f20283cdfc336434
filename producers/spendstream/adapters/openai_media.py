"""OpenAI images and transcription: platform.openai.com/docs/api-reference/images/object and /audio."""

from spendstream.adapters import openai_responses
from spendstream.adapters.reader import Node
from spendstream.adapters.result import ExtractedUsage, Meters, token_usage


def image_meters(root: Node, usage: Node | None) -> Meters:
    """GPT image models report tokens; DALL-E reports nothing, so its images are counted.

    Where the output has no breakdown, all of it is image tokens: so the field was defined before the breakdown came.
    """
    if usage is None:
        images = root.nodes("data")
        return {"output_images": len(images) or None}
    meters = openai_responses.meters(usage)
    if not usage.has("output_tokens_details"):
        meters["output_image_tokens"] = meters["output_tokens"]
    return meters


def svg_usage(provider: str, root: Node) -> tuple[ExtractedUsage, ...]:
    """Tokens of the model that wrote an SVG, which are billed beside the image model's."""
    usage = root.node("svg_usage")
    if usage is None:
        return ()
    meters: Meters = {
        "input_tokens": usage.count("input_tokens"),
        "output_tokens": usage.count("output_tokens"),
        "reasoning_tokens": usage.count("reasoning_tokens"),
    }
    return (ExtractedUsage(usage=token_usage(provider, meters), response_model=usage.text("model"), operation="image"),)


def transcription_meters(usage: Node) -> Meters:
    """Billed by tokens or by the duration of the audio, as ``usage.type`` says."""
    if usage.has("seconds"):
        return {"input_audio_seconds": usage.seconds("seconds")}
    return openai_responses.meters(usage)
