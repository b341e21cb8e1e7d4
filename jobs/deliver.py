"""Run jobs under the path that the release before queues them under; CONTRIBUTING.md says when this module goes."""

from jobs.delivery.deliver import deliver_email

__all__ = ["deliver_email"]
