"""What a route promises before its body runs."""
