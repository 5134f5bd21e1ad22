"""All the SQL there is: functions that take a connection and return nouns. No rules, no protocol, no HTTP."""
