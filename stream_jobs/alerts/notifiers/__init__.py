"""One module for each vendor; each implements notification.Sender."""

from stream_jobs.alerts.notifiers.make import make_notifier, resend_every_s

__all__ = ["make_notifier", "resend_every_s"]
