"""What `idp doctor` and the console look at, a room for each thing. They change nothing, and say what to do."""
