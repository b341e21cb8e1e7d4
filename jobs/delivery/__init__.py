"""Offer mails to a provider until each is accepted or has failed for good."""
