"""What the Hub does. Functions here take a session and a caller; they raise domain errors, never HTTP."""
