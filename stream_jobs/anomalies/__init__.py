"""The job "anomalies": watches series of usage for what is unusual, and says why."""
