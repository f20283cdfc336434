"""What the benchmarks share: the machine's facts, messages, processes and their cost, figures with floors and goals."""
