"""HTTP: read the request, call one flow, write the answer."""
