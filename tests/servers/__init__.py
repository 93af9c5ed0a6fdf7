"""Small local servers that speak the wire format of a service on loopback, with faults on demand."""
