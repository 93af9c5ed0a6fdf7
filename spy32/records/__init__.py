"""The nouns of the store, each over the one transaction core of `base`; `spy32.store.Store` holds them."""
