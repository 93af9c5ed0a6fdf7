"""The rooms of the store, one a question; `spy32.store.Store` puts them together."""
