"""The binary formats that ``hf_xet`` uploads: xorbs (packed chunks), shards (what files are made of), hashes.

The formats are those of https://huggingface.co/docs/xet; what is checked here is checked before memory is taken
for it, and whatever arrives, nothing but :class:`~.errors.XetFormatError` leaves these modules.
"""
