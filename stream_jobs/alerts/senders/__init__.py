"""One module for each vendor; each implements notification.Sender."""

from stream_jobs.alerts.senders.make import make_sender, resend_every_s

__all__ = ["make_sender", "resend_every_s"]
