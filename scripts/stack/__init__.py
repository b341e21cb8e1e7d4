"""Start servers, processes of the Procfile and a fake provider: for dev, tests, bench and chaos."""
