"""Sites behind a proxy that asks us about each request: who is let in, and how one signs in there."""
