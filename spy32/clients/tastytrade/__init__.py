"""tastytrade over REST: `oauth_session` holds the token, `rest` knows envelopes and errors, `market` numbers."""
