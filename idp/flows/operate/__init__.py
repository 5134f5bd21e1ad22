"""What an operator may do: people, their authenticators, clients. One transaction each, audited as the operator's."""
