"""One expression tree over episodes and steps, with one meaning everywhere."""
