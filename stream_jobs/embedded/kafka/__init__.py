"""Apache Kafka as processes of our own, without containers: one broker or three, on loopback."""
