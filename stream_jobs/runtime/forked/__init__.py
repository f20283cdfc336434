"""Work in processes of its own, forked from one that has loaded what the work needs."""
