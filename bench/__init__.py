"""What Stile costs, measured: `python -m bench` writes docs/performance.md, `python -m bench growth` asks what grows."""
