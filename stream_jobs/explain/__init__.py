"""Why a cost moved: by which factor, and by which values of attribution. Plain functions."""
