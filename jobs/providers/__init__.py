"""Send e-mail: one module for each provider, all with one small protocol."""
