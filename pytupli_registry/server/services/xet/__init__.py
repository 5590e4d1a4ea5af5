"""Taking in what ``hf_xet`` uploads: tokens, xorbs, shards. In the end there are blobs, as after every upload.

A xorb is unpacked as it arrives, and its chunks are kept until a shard says which files they make. The shard's
files are put together, hashed and kept as blobs; from then on the xorb is nothing but a map from chunks to
places in blobs, so that nothing is stored twice, and a later shard may name its chunks again: clients remember
what they have sent and send it only once.

Xorbs belong to the user who sent them. A chunk can be used as long as its bytes are there and its user may read
a repository with the blob that it lies in; otherwise it is missing, and the client is made to forget it.
"""
