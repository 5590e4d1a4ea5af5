"""What stands on the wire, without HTTP and without SQL: names, git objects, commit bodies, LFS, Xet."""
