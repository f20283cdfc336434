"""Real local receivers of alerts: HTTP servers that refuse what the vendors would refuse, SMTP, Alertmanager itself.

Each is a context manager on a port of its own, records what it got, and can be made to fail (`HttpReceiverServer`).
"""
