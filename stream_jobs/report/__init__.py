"""Where the money went: asked from ClickHouse, shown in the terminal and as one self-contained HTML page."""
