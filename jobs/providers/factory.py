"""Choose the provider that the settings name."""

from jobs.providers.mock import Mock
from jobs.providers.provider import Provider
from jobs.providers.resend import Resend
from jobs.providers.sendgrid import SendGrid
from jobs.providers.smtp import Smtp
from jobs.settings import EmailSettings


def make_provider(settings: EmailSettings) -> Provider:
    """Return the provider that the settings name."""
    match settings.provider:
        case "mock":
            return Mock(settings.mock_delay, settings.mock_folder)
        case "smtp":
            return Smtp(
                settings.smtp_host,
                settings.smtp_port,
                settings.smtp_user,
                settings.smtp_password,
                secure=settings.smtp_secure,
            )
        case "sendgrid":
            return SendGrid(settings.api_key, settings.api_base_url)
        case "resend":
            return Resend(settings.api_key, settings.api_base_url)
