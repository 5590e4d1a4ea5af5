"""Large files by Git-LFS: URLs to send them to, taking them in (in one piece or in parts), fetching them."""
