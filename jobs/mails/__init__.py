"""Write mails from their kinds and data; nothing here uses the database."""
