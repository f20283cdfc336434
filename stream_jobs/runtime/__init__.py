"""Kafka and its topics, timers, health, metrics, logs: what a process of ours runs with."""
