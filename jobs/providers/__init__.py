"""One module a provider of e-mail, each behind the same small protocol."""
