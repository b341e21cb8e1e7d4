"""Know who somebody is, and how often they have tried."""
