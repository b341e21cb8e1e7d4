"""Write a mail from its kind and its data; nothing here knows the database."""
