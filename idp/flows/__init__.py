"""What happens when a person or client asks: one public function per intention, one transaction each, no HTTP."""
