"""Google's responses without ``usageMetadata``: Imagen (also through Vertex AI's ``:predict``), and embeddings there.

cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api: images are billed by the piece; what was
filtered (``raiFilteredReason``) is no image and is not billed.
"""

from spendstream.adapters.reader import Node
from spendstream.adapters.result import Meters, total


def image_meters(root: Node) -> Meters | None:
    """The images that were made; None if the response is not about images."""
    if root.has("generated_images"):
        made = [item.node("image") for item in root.nodes("generated_images")]
        return {"output_images": sum(image is not None and _is_image(image) for image in made)}
    predictions = _predictions(root)
    if any(_is_image(item) or item.has("rai_filtered_reason") for item in predictions):
        return {"output_images": sum(map(_is_image, predictions))}
    return None


def predicted_tokens(root: Node) -> int | None:
    """The tokens of texts that ``:predict`` has embedded."""
    embedded = [item.node("embeddings") for item in _predictions(root) if item.has("embeddings")]
    statistics = [found for item in embedded if item is not None and (found := item.node("statistics")) is not None]
    return total(*(item.count("token_count") for item in statistics))


def _predictions(root: Node) -> list[Node]:
    items = root.raw("predictions")
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, dict) for item in items):
        return []  # of models of one's own: anything can be in there
    return root.nodes("predictions")


def _is_image(item: Node) -> bool:
    return item.has("bytes_base64_encoded", "image_bytes", "gcs_uri")
