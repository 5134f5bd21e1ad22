"""What other systems export, read: text in, nouns out. Nothing is judged by our policy here, and nothing is stored."""
