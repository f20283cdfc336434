"""Why a cost moved: by which factor, and by which values of attribution. Plain functions."""

from stream_jobs.explain.model import Cells, Explanation
from stream_jobs.explain.sentences import sentences
from stream_jobs.explain.table import cells_of, joined
from stream_jobs.explain.why import explain

__all__ = ["Cells", "Explanation", "cells_of", "explain", "joined", "sentences"]
