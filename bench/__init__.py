"""What Stile costs: `python -m bench` measures it for docs/performance.md, `python -m bench growth` asks what grows."""
